"""What the report and the closing summary of a horizontal run say beyond every report, in Chinese.

Terms follow the field: 横向联邦学习, 安全聚合, 差分隐私, 成对掩码.
"""

from __future__ import annotations

from simulations.report.strings import Strings

HORIZONTAL_CHINESE: Strings = {
    # The headline
    "headline_more": "联合学习后，{count} 家机构对各自客户的排序能力提高：平均 AUC 由单独学习的 "
    "{alone} 升至 {joint}，提高 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_less": "联合学习后，{count} 家机构对各自客户的排序能力下降：平均 AUC 由单独学习的 "
    "{alone} 降至 {joint}，下降 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_unclear": "{count} 家机构的 {customers} 名留出客户不足以显示联合学习带来的差异："
    "联合的平均 AUC 为 {joint}，单独为 {alone}，相差 {difference}"
    "（95% 置信区间 {low} 至 {high}，包含零）。",
    "repeated_headline_more": "联合学习后，{count} 家机构对各自客户的排序能力提高：在 {repeats} "
    "次划分中，平均 AUC 由单独学习的 {alone} 升至 {joint}，提高 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_less": "联合学习后，{count} 家机构对各自客户的排序能力下降：在 {repeats} "
    "次划分中，平均 AUC 由单独学习的 {alone} 降至 {joint}，下降 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_unclear": "{count} 家机构的客户经 {repeats} "
    "次划分，仍不足以显示联合学习带来的差异："
    "联合的平均 AUC 为 {joint}，单独为 {alone}，相差 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}，包含零）。",
    "headline_unmeasured": "无法说明联合学习的价值：没有一家机构有足够多的两类结果的留出客户。",
    "gains": "在可衡量的 {measured} 家机构中，{more} 家提高，{less} 家下降；其中 {clearly_more} "
    "家的提高和 {clearly_less} 家的下降超出了客户抽样所能解释的程度"
    "（95% 置信区间，逐家单独判断）。",
    "clear_same": "未显示出准确度损失：把所有数据表明文合并，AUC 为 {pooled}；"
    "各自加密学习为 {joint}，"
    "相差 {difference}（95% 置信区间 {low} 至 {high}）。",
    "clear_less": "损失了准确度：把所有数据表明文合并，AUC 为 {pooled}；各自加密学习为 {joint}，"
    "相差 {difference}（95% 置信区间 {low} 至 {high}）。",
    "clear_more": "没有损失准确度：把所有数据表明文合并，AUC 为 {pooled}；各自加密学习为 {joint}，"
    "相差 {difference}（95% 置信区间 {low} 至 {high}）。",
    "clear_noise": "该差异包含为隐私预算添加的噪声：合并数据的学习没有添加噪声。",
    "clear_unmeasured": "把所有数据表明文合并，AUC 为 {pooled}；各自加密学习为 {joint}。"
    "留出客户过少，无法给出置信区间。",
    "present_all": "{count} 家机构参加了全部 {sums} 次加密求和。",
    "present_most": "{sums} 次加密求和中有 {incomplete} 次有机构缺席；"
    "此时模型按实际参加者的平均更新。",
    "present_lost": "{sums} 次中有 {lost} 次未能打开；由下一次求和重做同样的工作。",
    "tile_parties": "机构",
    "tile_all_customers": "客户，其中 {share} 流失",
    "tile_joined": "AUC，联合减单独",
    "tile_clear": "AUC，联合减明文合并",
    "tile_sums": "次求和已打开，共 {sums} 次",
    "tile_epsilon": "ε 至多，约定为 {epsilon}",
    # What joining was worth, by organisation
    "worth": "联合学习对每一家的价值",
    "worth_how": "每家机构留出一部分任何模型都未学习过的客户（由标识符和种子的摘要选定），"
    "并排序两次：一次用只学习自己客户的模型，一次用各方共同训练的模型。",
    "worth_repeated": "数值为 {repeats} 次划分的平均；同一批客户的各次划分相互关联，"
    "置信区间已作校正"
    "（Nadeau 与 Bengio 2003 的校正重抽样 t 区间）。",
    "worth_once": "置信区间按 DeLong 方法计算。",
    "worth_none": "某一类结果的留出客户不足两名的机构没有 AUC，也不计入平均。",
    "help_auc": "AUC 是流失客户得分高于留存客户的概率；0.5 等于随机猜测，1 为完全正确。",
    "organisation": "机构",
    "alone": "单独",
    "together": "联合",
    "gain_interval": "提高（95% 置信区间）",
    "all_weighted": "全部，按留出客户数加权",
    "held_out_count": "留出 {customers} 名",
    "not_measured": "未衡量",
    "chart_apart": "各机构的 AUC",
    "chart_apart_x": "在自己的留出客户上的 AUC",
    "chart_scatter": "各机构的 AUC",
    "chart_scatter_x": "单独学习的 AUC",
    "chart_scatter_y": "联合学习的 AUC",
    "chart_scatter_help": "一个点代表一家机构；在对角线上方表示有所提高。",
    # Against learning in the clear
    "compared": "各自加密学习是否损失准确度？",
    "clear_how": "两种看法：机构内，各机构对自己的客户排序，AUC 按留出客户数加权平均；全体，"
    "把所有机构的客户排成一列。留出客户 {customers} 名，学习所用客户 {trained_on} 名。",
    "clear_how_repeated": "两种看法：机构内，各机构对自己的客户排序，AUC 按留出客户数加权平均；"
    "全体，把所有机构的客户排成一列。数值为 {repeats} 次划分的平均；第一次划分留出客户 "
    "{customers} 名，学习所用客户 {trained_on} 名。",
    "within": "机构内 AUC",
    "over_all": "全体 AUC",
    "each_alone": "各机构单独学习",
    "all_together": "联合学习，加密",
    "all_pooled": "所有数据表明文合并",
    "short_joint": "联合",
    "short_pooled": "明文合并",
    "joint_minus_alone": "联合减单独",
    "joint_minus_pooled": "联合减明文合并",
    "chart_differences": "AUC 之差与 95% 置信区间",
    "chart_differences_x": "AUC 之差",
    "chart_learning": "各训练轮次的 AUC",
    "chart_learning_x": "训练轮次",
    "chart_learning_y": "全体 AUC",
    "chart_learning_help": "由模拟程序在每一轮之后用所有机构的留出客户衡量；"
    "实际部署中无人能够这样做。",
    "precision_kept": "与对同样的更新作明文联邦平均相比，加密本身使模型 {parameters} "
    "个数中任何一个至多改变 {largest}；该方法声明的界限为 {bound}。",
    "precision_broken": "加密使模型 {parameters} 个数中的一个改变了 {largest}，"
    "超过该方法声明的界限 {bound}。请勿使用此模型。",
    "precision_exact": "加密本身没有改变任何结果：模型的 {parameters} "
    "个数都与对同样的更新作明文联邦平均所得相同。",
    # Split by split
    "repeats_how": "客户共划分 {repeats} 次，每次都重新训练和衡量模型；各次划分在同样的加密求和中"
    "并行进行。",
    "repeats_help": "“单独”和“联合”为机构内 AUC；“联合减明文合并”为全体 AUC 之差。",
    "mean": "均值",
    "joined_gain": "联合减单独",
    "joined_cost": "联合减明文合并",
    # Who took part
    "rounds": "逐轮参加情况",
    "rounds_how": "每次求和把各机构加密后的贡献相加：先是用于特征列标准化的统计量，"
    "然后每个训练轮次一次，最后是评估计数。少于 {floor} 份贡献的和永远不会打开。",
    "rounds_masked": "机构中途退出某一轮时，留下的任意 {threshold} "
    "家可以用其秘密的份额去除它的掩码；它的贡献不在和之中。",
    "rounds_unmasked": "机构中途退出某一轮时，和只包含其余机构的贡献。",
    "in_sum": "参加",
    "away": "缺席",
    "sum_lost": "未打开的和",
    "of_sums": "{present}/{sums}",
    "attended_all": "{party}：参加全部 {sums} 次求和",
    "attended_some": "{party}：参加 {sums} 次求和中的 {present} 次；缺席：{missing}",
    "attended_many": "{party}：参加 {sums} 次求和中的 {present} 次",
    "sum_statistics": "统计量",
    "sum_round": "第 {round} 轮",
    "sum_evaluation": "评估",
    "incidents": "有机构缺席或未打开的求和",
    "incidents_none": "每次求和都无人缺席，并且都已打开。",
    "incidents_more": "另有 {more} 次，见 metrics.json。",
    "sum": "求和",
    "sum_number": "第 {number} 号",
    "contributions": "贡献数",
    "who_was_missing": "缺席机构",
    "not_opened": "未打开",
    "absent_no_answer": "{party}（未及时应答）",
    "absent_next_epoch": "{party}（约定密钥时不在，下次约定时加入）",
    "absent_refused": "{party}（贡献被拒绝）",
    "and_others": "{names} 等，另有 {more} 家",
    # Who reads what
    "reads": "谁能读到什么",
    "reads_how": "一家机构的更新靠什么对其他机构和协调方保密，又要哪些方合谋才能读到。各机构"
    "批准任务之前，任务审阅页会显示以下内容。",
    "method": "更新的求和方式",
    "method_masked_he": "成对掩码加同态加密（BFV）：掩码使持有密钥者读不到单份更新，"
    "加密使协调方读不到和",
    "method_masks": "仅用成对掩码",
    "method_ckks": "同态加密（CKKS），所有机构持有同一把密钥",
    "method_paillier": "同态加密（Paillier，打包），所有机构持有同一把密钥",
    "every_organisation": "每一家机构",
    "learned_spec": "从各方签署的任务中得知：参加机构、{columns} 个特征列、预测目标和全部参数",
    "learned_statistics": "对参加机构的全部学习客户合计：客户数、流失数，以及每列之和与平方和",
    "learned_statistics_private": "参加学习的客户总数，各机构已加入自己的噪声；"
    "特征列按约定的范围标准化",
    "learned_rounds": "每个训练轮次之后：该轮所有更新的平均及其背后的客户数，"
    "从而得知逐步形成的联合模型（{parameters} 个数）",
    "learned_evaluation": "全体留出客户按结果在各得分段的分布",
    "learned_evaluation_private": "全体留出客户按结果在各得分段的分布，各机构已加入自己的噪声",
    "learned_contributors": "每次求和有哪些机构参加",
    "learned_repeated": "{repeats} 次划分均如此：各次求和的客户集合相互重叠",
    "learned_difference": "参加者不同的两次和之差会透露只在其中一次的机构的部分信息；"
    "任何一方总能从和中减去自己的更新",
    "learned_private": "由以上全部信息对其他机构任何一名客户所能推断的程度，以该机构的 ε 为界",
    "learned_pair": "对只有两份贡献的和，身在其中的一方得知另一方的那一份：从和中减去自己的即可",
    "learned_no_rows_of_pairs": "未获知其他机构的客户、购买记录或得分",
    "learned_no_rows": "未获知其他机构的客户、购买记录或得分，也未获知任何单独一家的更新或计数",
    "learned_coordinator_traffic": "各方何时应答，以及报文大小",
    "learned_coordinator_nothing": "未获知私钥、更新、计数与和：它只把自己打不开的密文相加，"
    "模型留在各机构",
    "learned_coordinator_masks": "未获知私钥、更新、计数与和：它相加的内容有掩码覆盖，"
    "掩码由各机构去除；模型留在各机构",
    # Privacy
    "privacy": "隐私预算",
    "privacy_how": "以一名客户为单位：每家机构把每名客户对梯度的影响限制在范数 {clip_norm} 以内，"
    "并加入自己的噪声；无论其他机构怎样做，仅凭这些噪声就满足预算（DP-SGD）。δ 为 {delta}。",
    "privacy_epsilon": "ε 表示：关于一名客户的结论，至多在多大程度上取决于该客户是否在数据之中；"
    "越小越强。",
    "privacy_none": "未约定差分隐私。加密求和隐藏每家机构的更新，"
    "但不限制最终模型或某一轮的平均会透露多少单个客户的信息。",
    "agreed": "约定",
    "spent": "本任务消耗",
    "spent_in_total": "全部任务累计消耗",
    # Cost
    "cost": "通信量与耗时",
    "cost_how": "所有机构共用这一台机器；若各有自己的机器，本地训练会同时进行。"
    "报文数为发送数；本方工作为各训练轮次的平均。",
    "took": "整个任务",
    "per_round": "一个训练轮次",
    "memory": "最大内存（全部进程）",
    "memory_unknown": "未测量",
    "received": "接收量",
    "own_work": "本方每轮工作",
    "by_step": "按协议步骤",
    "by_step_how": "所有机构的发送量和接收量，不含协调方自身的。",
    "step": "步骤",
    "step_advertise": "公布公钥",
    "step_share": "分享秘密份额",
    "step_contribute": "提交贡献",
    "step_consist": "签署参加者名单",
    "step_unmask": "去除掩码",
    "step_finish": "交付最后一次和",
    "step_close": "关闭",
    # What was asked, what each brought
    "asked_window": "观察范围",
    "asked_window_how": "截至 {cut} 的 {active} 天内有过购买的客户；取其截至该日 {history} "
    "天内的购买记录；此后 {horizon} 天内没有购买即为流失",
    "strategy": "训练方式",
    "strategy_of": "{strategy}，{rounds} 轮",
    "model_logistic_regression": "逻辑回归，{parameters} 个数",
    "model_multilayer_perceptron": "多层感知机，{parameters} 个数",
    "terms": "条款",
    "term_of": "{jurisdiction}；其贡献至少与另外 {others} 家的相加；合法性基础：{basis}",
    "brought": "各方提供的数据",
    "brought_how": "每家机构在自己的节点上用自己的购买记录生成数据表。无法使用的记录留在本节点，"
    "连同行号和原因写入剔除文件；对外只提供计数。",
    "lines": "购买记录",
    "rejected": "剔除",
    "left": "流失",
    "all": "全部",
    # Limits
    "limit_poison": "没有人能查看单份更新，因此在约定范围内提交误导性更新的机构不会被发现。",
    "limit_model": "每家机构都持有联合模型。模型会透露多少其学习过的客户的信息，此处未作衡量。",
    "limit_customers": "不同机构的客户按不同的人看待。此处不检查是否有人同时在两家购买。",
    # Words of the shared templates that mean something else here
    "use_curve": "签名，以及掩码和密钥的协商",
    "use_seal": "对份额、密钥、运行状态和模型加密",
    "use_stream": "掩码，以及由秘密种子生成的随机流",
    "reason_missing_number": "缺少数值",
    "reason_number_out_of_range": "数值超出范围",
    "reason_missing_date": "缺少日期",
    "reason_date_out_of_range": "日期超出范围",
    "reason_cancelled": "订单已取消",
    "parameter_rounds": "训练轮次",
    "parameter_strategy": "策略",
    "parameter_local_epochs": "每轮遍历本机构客户的次数",
    "parameter_proximal": "FedProx 的近端系数 μ",
    "parameter_server_learning_rate": "服务端优化器的学习率",
    "parameter_beta1": "一阶矩衰减",
    "parameter_beta2": "二阶矩衰减",
    "parameter_tau": "FedAdam 的自适应系数 τ",
    "parameter_hidden": "隐藏层单元数",
    "parameter_method": "求和方法",
    "parameter_update_bound": "更新中每个数的界限",
    "parameter_minimum_contributors": "可打开的和的最少贡献数",
    "parameter_threshold": "恢复掩码所需的机构数",
    "parameter_key_rounds": "一次秘密分享可用于多少次求和",
    "parameter_round_deadline_s": "每轮等待一家机构的秒数",
    "parameter_epsilon": "约定的每家机构的 ε",
    "parameter_delta": "差分隐私的 δ",
    "parameter_clip_norm": "单个客户梯度的范数上限",
    "parameter_horizon_days": "截止日后无购买即为流失的天数",
    "parameter_active_days": "截止日前须有购买的天数",
    "parameter_history_days": "特征列回看的天数",
    "parameter_cut": "特征列的截止日",
    "parameter_rules": "特征列的生成规则",
    "parameter_minimum_held_out": "可衡量的最少留出客户数",
    "setting_fedavg": "FedAvg",
    "setting_fedprox": "FedProx",
    "setting_fedadam": "FedAdam",
    # The closing summary on the terminal
    "summary_reads": "谁能读到什么",
    "summary_sent_mean": "每家机构的发送量",
    "summary_more_parties": "其余 {more} 家见报告",
}
