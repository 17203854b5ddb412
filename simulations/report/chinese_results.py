"""What joining was worth and what the model is like, in Chinese."""

from __future__ import annotations

from simulations.report.strings import Strings

CHINESE_RESULTS: Strings = {
    # The headline
    "headline_binary_more": "与 {partners} 联合建模后，{active} 对客户的排序能力提高：AUC 由 "
    "{alone} 升至 {joint}，提高 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_binary_less": "与 {partners} 联合建模后，{active} 对客户的排序能力下降：AUC 由 "
    "{alone} 降至 {joint}，下降 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_binary_unclear": "与 {partners} 联合建模，未给 {active} 带来 {customers} 名留出客户"
    "足以显示的差异：联合 AUC 为 {joint}，单方为 {alone}，相差 {difference}"
    "（95% 置信区间 {low} 至 {high}，包含零）。",
    "headline_regression_less": "与 {partners} 联合建模后，{active} 的预测更接近实际：RMSE 由 "
    "{alone} 降至 {joint}，降低 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_regression_more": "与 {partners} 联合建模后，{active} 的预测偏离实际更多：RMSE 由 "
    "{alone} 升至 {joint}，升高 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_regression_unclear": "与 {partners} 联合建模，未给 {active} 带来 {customers} "
    "名留出客户足以显示的差异：联合 RMSE 为 {joint}，单方为 {alone}，相差 {difference}"
    "（95% 置信区间 {low} 至 {high}，包含零）。",
    "headline_multiclass_more": "与 {partners} 联合建模后，{active} 判对类别的客户增多：准确率由 "
    "{alone} 升至 {joint}，提高 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_multiclass_less": "与 {partners} 联合建模后，{active} 判对类别的客户减少：准确率由 "
    "{alone} 降至 {joint}，下降 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_multiclass_unclear": "与 {partners} 联合建模，未给 {active} 带来 {customers} "
    "名留出客户足以显示的差异：联合准确率为 {joint}，单方为 {alone}，相差 {difference}"
    "（95% 置信区间 {low} 至 {high}，包含零）。",
    "repeated_headline_binary_more": "与 {partners} 联合建模后，{active} 对客户的排序能力提高："
    "在 {repeats} 次划分中，平均 AUC 由 {alone} 升至 {joint}，提高 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_binary_less": "与 {partners} 联合建模后，{active} 对客户的排序能力下降："
    "在 {repeats} 次划分中，平均 AUC 由 {alone} 降至 {joint}，下降 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_binary_unclear": "与 {partners} 联合建模，未给 {active} 带来 {repeats} "
    "次划分足以显示的差异：联合的平均 AUC 为 {joint}，单方为 {alone}，相差 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}，包含零）。",
    "repeated_headline_regression_less": "与 {partners} 联合建模后，{active} 的预测更接近实际："
    "在 {repeats} 次划分中，平均 RMSE 由 {alone} 降至 {joint}，降低 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_regression_more": "与 {partners} 联合建模后，{active} 的预测偏离实际更多："
    "在 {repeats} 次划分中，平均 RMSE 由 {alone} 升至 {joint}，升高 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_regression_unclear": "与 {partners} 联合建模，未给 {active} 带来 {repeats} "
    "次划分足以显示的差异：联合的平均 RMSE 为 {joint}，单方为 {alone}，相差 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}，包含零）。",
    "repeated_headline_multiclass_more": "与 {partners} 联合建模后，{active} 判对类别的客户增多："
    "在 {repeats} 次划分中，平均准确率由 {alone} 升至 {joint}，提高 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_multiclass_less": "与 {partners} 联合建模后，{active} 判对类别的客户减少："
    "在 {repeats} 次划分中，平均准确率由 {alone} 降至 {joint}，下降 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_multiclass_unclear": "与 {partners} 联合建模，未给 {active} 带来 {repeats} "
    "次划分足以显示的差异：联合的平均准确率为 {joint}，单方为 {alone}，相差 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}，包含零）。",
    "two_tables": "双方数据",
    "all_tables": "各方数据",
    "pooled_same": "把{tables}明文合并后建模，结果相同：{measure} {pooled}。",
    "pooled_same_first": "在第一次划分中，把{tables}明文合并后建模，结果相同：{measure} {pooled}。",
    "pooled_other": "把{tables}明文合并后建模：{measure} {pooled}；联合模型与之相差 {difference}"
    "（95% 置信区间 {low} 至 {high}）。",
    "pooled_other_first": "在第一次划分中，把{tables}明文合并后建模：{measure} {pooled}；"
    "联合模型与之相差 {difference}（95% 置信区间 {low} 至 {high}）。",
    "pooled_none": "未做明文合并的对照：场景设定不允许。",
    "pooled_true_labels": "明文合并时，整个网络都用真实标签训练；联合训练时，只有 {active} "
    "自己的部分用真实标签训练。",
    "percentage_points": "{number} 个百分点",
    "tile_customers": "{party} 的客户数",
    "tile_shared": "共有客户数",
    "tile_common": "各方共有的客户数",
    "tile_gain": "{measure}，联合减单方",
    "tile_gain_points": "{measure}（百分点），联合减单方",
    "tile_lift": "前 {share} 客户的提升度；单方 {alone}",
    "tile_second": "{measure}，联合；单方 {alone}",
    # What joining was worth
    "worth": "联合建模的价值",
    "worth_how": "在 {customers} 名未参与任何模型训练的共有客户（留出客户）上评估；"
    "模型用另外 {trained_on} 名客户训练。各方依据标识符的哈希值和同一随机种子选出相同的留出客户。",
    "balance_binary": "{customers} 名留出客户中，{positives} 名为正样本（{share}）。",
    "balance_regression": "若对这 {customers} 名客户一律预测为其均值，RMSE 为 {usual}："
    "模型须优于此值。",
    "balance_multiclass": "标签共有 {classes} 类。对 {customers} 名留出客户一律判为最常见的"
    "类别“{name}”，准确率也有 {share}：模型须优于此值。",
    "model": "模型",
    "model_alone": "{active} 单方建模",
    "model_joint": "{active} 与 {partners} 联合建模，数据不出各方",
    "model_pooled": "{tables}明文合并建模",
    "short_alone": "单方",
    "short_joint": "联合",
    "short_pooled": "明文合并",
    "measure_auc": "AUC",
    "measure_mean_auc": "平均 AUC",
    "measure_ks": "KS",
    "measure_rmse": "RMSE",
    "measure_mae": "MAE",
    "measure_r2": "R²",
    "measure_accuracy": "准确率",
    "measure_log_loss": "对数损失",
    "with_interval": "{measure}（95% 置信区间）",
    "help_binary": "AUC 是正样本客户的得分高于负样本客户的概率：0.5 等同于随机猜测，1 为完全正确。"
    "KS 是两类客户得分分布之间的最大差距。AUC 的区间采用 DeLong 方法，KS 的区间采用分层自助法。",
    "help_regression": "RMSE 是均方误差的平方根，MAE 是误差绝对值的平均，单位均与预测目标相同，"
    "越小越好。R² 是模型所解释的客户间差异的比例：0 等同于对所有人都预测为均值。"
    "区间采用 delta 方法，差值在相同客户上配对计算。",
    "help_multiclass": "准确率是模型判对类别的客户占比。对数损失衡量模型对正确类别的把握，"
    "越小越好，0 为完全正确。平均 AUC 是各类别 AUC 的平均：某类客户在该类上的概率高于其他客户的"
    "可能性。准确率的区间采用 Wilson 方法，差值的区间采用 Agresti 和 Min 的方法。",
    "difference": "差值（{measure}，95% 置信区间）",
    "joint_minus_alone": "联合减单方",
    "joint_minus_pooled": "联合减明文合并",
    "chart_intervals": "{measure}：估计值与 95% 置信区间",
    "chart_per_cent": "{measure}（%）",
    "chart_roc": "ROC 曲线",
    "chart_roc_x": "假阳性率（%）",
    "chart_roc_y": "真阳性率（%）",
    "chart_gain": "累计增益",
    "chart_gain_x": "按得分从高到低触达的客户（%）",
    "chart_gain_y_binary": "覆盖的正样本（%）",
    "chart_gain_y_regression": "覆盖的总量（%）",
    "chart_lift": "高分客户的提升度",
    "chart_lift_x": "得分最高的客户",
    "chart_lift_y": "提升度（随机的倍数）",
    "chart_calibration": "校准曲线",
    "chart_calibration_x_binary": "每一等份的平均得分（%）",
    "chart_calibration_y_binary": "实际正样本占比（%）",
    "chart_calibration_x_regression": "每一等份的平均预测值",
    "chart_calibration_y_regression": "实际的平均值",
    "chart_chance_binary": "灰色对角线表示随机水平；在校准曲线中，表示得分与实际占比完全一致。",
    "chart_chance_regression": "灰色对角线在校准曲线中表示预测与实际完全一致，在其他图中表示"
    "随机水平。",
    "count_customers": "{customers} 名",
    "reach": "客户触达效果",
    "reach_how_binary": "若只触达得分最高的一部分客户：其中正样本的占比是随机抽取的多少倍"
    "（提升度），以及覆盖了全部正样本的多大比例（累计增益）。",
    "reach_how_regression": "若只触达预测值最高的一部分客户：其平均值是全体客户平均值的多少倍"
    "（提升度），以及占全体客户总量的多大比例（累计增益）。",
    "best_scored": "得分最高的",
    "lift": "提升度",
    "gain": "累计增益",
    "decisions": "阈值下的判定结果",
    "decisions_how": "得分不低于 {threshold} 判为“是”。对这些客户一律判为“{usual}”，"
    "准确率也有 {share}：看准确率时须以此为参照。",
    "answer_yes": "是",
    "answer_no": "否",
    "answered": "模型判定",
    "happened_yes": "实际为正",
    "happened_no": "实际为负",
    "precision": "精确率",
    "recall": "召回率",
    "accuracy": "准确率",
    "precision_none": "无人被判为“是”",
    "classes": "各类别的结果",
    "classes_how": "召回率：某类客户中，被模型判为该类的比例。精确率：被联合模型判为某类的客户中，"
    "确属该类的比例。AUC：该类的概率把该类客户与其他客户区分开的程度。",
    "one_class": "类别",
    "chart_found": "各类别的召回率",
    "chart_found_x": "召回率（%）",
    "found": "召回率（{which}）",
    "right": "精确率（联合）",
    "mistaken_for": "最常误判为（联合）",
    "repeats": "重复划分",
    "repeats_how": "对共有客户做了 {repeats} 次随机划分，每次都重新训练和评估；以上图表均为第一次"
    "划分的结果。同一批客户的多次划分彼此相关，均值的区间已作相应校正"
    "（校正重抽样 t 区间，Nadeau 和 Bengio，2003）。",
    "split": "划分",
    "customers": "客户数",
    "mean_interval": "均值（95% 置信区间）",
    "measure_of": "{measure}（{which}）",
    # What the model is like
    "model_boosted_trees": "梯度提升树",
    "model_scorecard": "评分卡",
    "model_split_network": "拆分神经网络",
    "importance": "特征重要性",
    "importance_shares": "模型增益按分裂所用的特征归属统计：",
    "importance_columns_of": "{party} 的特征列",
    "importance_how_boosted_trees": "条形只在同一机构的特征列之间比较，不可跨机构比较。"
    "标签方按增益计；其他机构不会得知增益，按其分裂所划分的训练客户数计。"
    "实际部署中，各机构只能看到自己的清单。",
    "importance_how_scorecard": "每一列可使客户得分变动的分数，按其占该机构各列之和的比例列示。"
    "实际部署中，各机构只能看到自己的清单。",
    "importance_how_split_network": "机构网络第一层对各列的加权强度，按其占该机构各列之和的比例列示"
    "：仅供粗略参考，不可跨机构比较。实际部署中，各机构只能看到自己的清单。",
    "importance_none": "模型未使用该方的任何特征列",
    "importance_group": "本报告归 {active} 所有：{party} 的特征列只作为一组列示。",
    "points": "评分卡",
    "points_how": "客户的得分为其各分箱分值之和。分值越低，越可能为正样本：{base_points} 分对应的"
    "负正样本比为 {base_odds}:1，每高 {points_to_double} 分，该比率翻一倍。",
    "points_start": "每名客户的起始分为 {points} 分。",
    "points_kept": "{party}：{columns} 列中有 {kept} 列进入评分卡。",
    "points_joint": "各方均已同意由 {active} 获得完整的评分表；否则每一方只能看到自己各列的分值。",
    "points_each": "各方的节点只能列出自己各列的分值；本次模拟将其并列展示。",
    "points_group": "本报告归 {active} 所有：{party} 各列的分值只有其自己能够列出。",
    "points_column": "特征列与分箱",
    "points_share": "客户占比",
    "points_woe": "WOE",
    "points_points": "分值",
    "points_facts": "信息值（IV）{iv}，系数 {coefficient}",
    "points_turned": "与自身证据权重方向相反",
    "points_help": "WOE（证据权重）大于零，表示该分箱的正样本占比高于全部训练客户。"
    "信息值表示单凭该列区分两类客户的能力：按通行的经验，低于 0.02 几乎没有区分力，"
    "高于 0.5 则高得可疑。客户占比按训练客户计。",
    "bin_and": " 且 ",
    "bin_or": "、",
    "bin_missing": "缺失",
    "bin_any_other": "其他",
    "bin_any_value": "任意值",
    "layers": "网络各层",
    "layers_how": "各方各自保留自己的部分。{partners} 就每名客户发送的，是其网络最后一层的输出。",
    "layer_own": "自有特征列，第 {number} 层",
    "layer_joint": "各方合并，第 {number} 层",
    "layer": "层",
    "inputs": "输入数",
    "units": "单元数",
}
