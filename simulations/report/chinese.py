"""Every sentence of the report and the closing summary, in Chinese (simplified, mainland usage).

Terms follow the field: 隐私集合求交 (PSI), 纵向联邦学习, 同态加密, 提升度; legal ones follow
the Personal Information Protection Law. Latin words and figures stand between spaces.
"""

from __future__ import annotations

from simulations.report.strings import Strings

CHINESE: Strings = {
    "language": "zh-CN",
    "other_language": "English",
    "list_between": "、",
    "list_last": " 和 ",
    "between_parts": "，",
    "range": "{low} 至 {high}",
    "estimate": "{value}（{low} 至 {high}）",
    "percent": "{number}%",
    "colon": "：",
    "in_brackets": "（{text}）",
    "between_sentences": "",
    "contents": "目录",
    "subtitle": "模拟运行报告：所有机构均在同一台机器上运行",
    "suite": "密码套件",
    "suite_gm": "国密算法（SM2、SM3、SM4）",
    "suite_intl": "国际算法（SHA-256、AES-256、Ed25519、Curve25519）",
    "protocol": "共有客户的求交方式",
    "protocol_ecdh": "基于椭圆曲线 Diffie-Hellman 的隐私集合求交，仅在机构之间进行",
    "protocol_server_aided": "服务器辅助的隐私集合求交：由协调方比对带密钥的令牌",
    "purpose": "处理目的",
    "purpose_credit_need": "信贷需求（预测谁会有融资需求）",
    "purpose_creditworthiness": "信用评价（预测谁会按期还款）",
    "purpose_churn": "客户流失（预测谁可能流失）",
    "use": "结果用途",
    "use_research_only": "仅供研究",
    "use_marketing": "营销",
    "use_lending_decision": "授信决策",
    # What has to be decided by people
    "legal_title": "使用结果之前，须先取得法律意见",
    "legal_soft": "各方均声明所用数据为合成数据或公开数据，且仅供研究，因此本次运行得以继续。"
    "若涉及真实客户，任务将在此终止。",
    "stopped_title": "合规规则不允许此项处理",
    "coordinator_title": "本次运行由协调方比对客户",
    "coordinator_colludes": "服务器辅助协议只有在协调方不与任何机构合谋时，才能保护各方的客户名单。"
    "协调方一旦与其中一方合谋，即可用该方持有的密钥逐一计算所有可能标识符的令牌，"
    "从而枚举出另一方的完整客户名单，非共有客户也不例外。",
    "coordinator_unseen": "此类合谋不会改变任何报文，日志中也不会留下痕迹。"
    "如果各机构对协调方的信任达不到这一程度，可改用无需协调方参与的 ecdh 协议。",
    # The headline
    "headline_more": "与 {partners} 联合建模后，{active} 对客户的排序能力提高：AUC 由 {alone} 升至 "
    "{joint}，提高 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_less": "与 {partners} 联合建模后，{active} 对客户的排序能力下降：AUC 由 {alone} 降至 "
    "{joint}，下降 {difference}（95% 置信区间 {low} 至 {high}）。",
    "headline_unclear": "与 {partners} 联合建模，未给 {active} 带来 {customers} 名留出客户"
    "足以显示的差异：联合 AUC 为 {joint}，单方为 {alone}，相差 {difference}"
    "（95% 置信区间 {low} 至 {high}，包含零）。",
    "repeated_headline_more": "与 {partners} 联合建模后，{active} 对客户的排序能力提高："
    "在 {repeats} "
    "次划分中，平均 AUC 由 {alone} 升至 {joint}，提高 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_less": "与 {partners} 联合建模后，{active} 对客户的排序能力下降："
    "在 {repeats} "
    "次划分中，平均 AUC 由 {alone} 降至 {joint}，下降 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}）。",
    "repeated_headline_unclear": "与 {partners} 联合建模，未给 {active} 带来 {repeats} 次划分"
    "足以显示的差异：联合的平均 AUC 为 {joint}，单方为 {alone}，相差 {difference}"
    "（校正后的 95% 置信区间 {low} 至 {high}，包含零）。",
    "two_tables": "双方数据",
    "all_tables": "各方数据",
    "pooled_same": "把{tables}明文合并后建模，结果相同：AUC {pooled}。",
    "pooled_same_first": "在第一次划分中，把{tables}明文合并后建模，结果相同：AUC {pooled}。",
    "pooled_other": "把{tables}明文合并后建模，AUC 为 {pooled}；联合模型与之相差 {difference}"
    "（95% 置信区间 {low} 至 {high}）。",
    "pooled_other_first": "在第一次划分中，把{tables}明文合并后建模，AUC 为 {pooled}；"
    "联合模型与之相差 {difference}（95% 置信区间 {low} 至 {high}）。",
    "pooled_none": "未做明文合并的对照：场景设定不允许。",
    "tile_customers": "{party} 的客户数",
    "tile_shared": "共有客户数",
    "tile_common": "各方共有的客户数",
    "tile_gain": "AUC，联合减单方",
    "tile_lift": "前 {share} 客户的提升度；单方 {alone}",
    # What was asked
    "asked": "任务与参与方",
    "asked_label": "预测目标",
    "asked_agreement": "协议编号",
    "asked_spec": "各方签署的任务摘要值",
    "asked_retention": "约定的保存期限",
    "days": "模型与评分至多 {days} 天；过程日志、同态密钥和行映射在任务关闭时已销毁",
    "role": "角色",
    "role_active_party": "主动方：持有标签",
    "role_passive_party": "被动方：仅提供特征",
    "jurisdiction": "法域",
    "legal_basis": "合法性基础",
    "minimum_cohort": "允许公开的最小交集",
    "feature_columns": "特征列",
    "usable_customers": "可用客户",
    "usable_of": "{usable} 名（原表 {rows} 行）",
    # What joining was worth
    "worth": "联合建模的价值",
    "worth_how": "在 {customers} 名未参与任何模型训练的共有客户（留出客户）上评估；"
    "模型用另外 {trained_on} 名客户训练。各方依据标识符的哈希值和同一随机种子选出相同的留出客户。",
    "balance": "{customers} 名留出客户中，{positives} 名为正样本（{share}）。",
    "model": "模型",
    "model_alone": "{active} 单方建模",
    "model_joint": "{active} 与 {partners} 联合建模，数据不出各方",
    "model_pooled": "{tables}明文合并建模",
    "short_alone": "单方",
    "short_joint": "联合",
    "short_pooled": "明文合并",
    "auc_interval": "AUC（95% 置信区间）",
    "ks_interval": "KS（95% 置信区间）",
    "metric_help": "AUC 是正样本客户的得分高于负样本客户的概率：0.5 等同于随机猜测，1 为完全正确。"
    "KS 是两类客户得分分布之间的最大差距。AUC 的区间采用 DeLong 方法，KS 的区间采用分层自助法。",
    "difference": "AUC 之差（95% 置信区间）",
    "joint_minus_alone": "联合减单方",
    "joint_minus_pooled": "联合减明文合并",
    "chart_intervals": "AUC 及其 95% 置信区间",
    "chart_auc_axis": "AUC",
    "chart_roc": "ROC 曲线",
    "chart_roc_x": "假阳性率（%）",
    "chart_roc_y": "真阳性率（%）",
    "chart_gain": "累计增益",
    "chart_gain_x": "按得分从高到低触达的客户（%）",
    "chart_gain_y": "覆盖的正样本（%）",
    "chart_lift": "高分客户的提升度",
    "chart_lift_x": "得分最高的客户",
    "chart_lift_y": "提升度（随机的倍数）",
    "chart_calibration": "校准曲线",
    "chart_calibration_x": "每一等份的平均得分（%）",
    "chart_calibration_y": "实际正样本占比（%）",
    "chart_chance": "灰色对角线表示随机水平；在校准曲线中，表示得分与实际占比完全一致。",
    "count_customers": "{customers} 名",
    "reach": "客户触达效果",
    "reach_how": "若只触达得分最高的一部分客户：其中正样本的占比是随机抽取的多少倍（提升度），"
    "以及覆盖了全部正样本的多大比例（累计增益）。",
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
    "repeats": "重复划分",
    "repeats_how": "对共有客户做了 {repeats} 次随机划分，每次都重新训练和评估；以上图表均为第一次"
    "划分的结果。同一批客户的多次划分彼此相关，均值的区间已作相应校正"
    "（校正重抽样 t 区间，Nadeau 和 Bengio，2003）。",
    "split": "划分",
    "customers": "客户数",
    "mean_interval": "均值（95% 置信区间）",
    "auc_of": "AUC（{which}）",
    "ks_of": "KS（{which}）",
    "auc_gain": "AUC 之差",
    # What the model used
    "importance": "特征重要性",
    "importance_shares": "模型增益按分裂所用的特征归属统计：",
    "importance_columns_of": "{party} 的特征列",
    "importance_how": "条形只在同一机构的特征列之间比较，不可跨机构比较。标签方按增益计；"
    "其他机构不会得知增益，按其分裂所划分的训练客户数计。实际部署中，各机构只能看到自己的清单。",
    "importance_none": "模型未使用该方的任何特征列",
    "importance_group": "本报告归 {active} 所有：{party} 的特征列只作为一组列示。",
    # Who learned what
    "learned": "各方获知的信息",
    "learned_how": "除自有数据外，各方还获知了以下信息，并且可以一直留存：知悉之后无法收回。",
    "leakage": "用共有客户训练，意味着每一方都会得知自己的哪些客户同时是对方的客户。即使没有交出"
    "任何一行数据，这也属于向其他个人信息处理者提供个人信息（《个人信息保护法》第二十三条），"
    "并非匿名化信息。",
    "leakage_several": "{active} 与 {partners} 分别求交，并获知每一个两方交集；"
    "建模只使用了各方共有的 {common} 名客户。",
    "coordinator": "协调方",
    "learned_columns": "从各方签署的任务中得知：{others} 的特征列名称和类型",
    "learned_columns_and_label": "从各方签署的任务中得知：{others} 的特征列名称和类型，"
    "以及标签的名称和含义",
    "learned_shared": "自己的 {own} 名客户中，哪 {shared} 名同时是 {other} 的客户；"
    "{other} 参与的客户为 "
    "{others_size} 名",
    "learned_only_common": "以上每一个两方交集，尽管建模只使用了各方共有的 {common} 名客户",
    "learned_which_common": "其中哪 {common} 名为各方共有，即同时也是 {others} 的客户",
    "learned_gradient_sums": "对 {training} 名训练客户：其梯度在 {passives} 各候选分裂上的汇总"
    "（次序已打乱，不含列名和阈值），以及模型所用的分裂把哪些客户分到哪一侧",
    "learned_own_tree": "训练中未获知任何信息：唯一的一棵树只用自己的特征列",
    "learned_active_tree": "训练中未获知任何信息：唯一的一棵树只用 {active} 的特征列",
    "learned_held_out_sides": "对 {held_out} 名留出客户：同样的分侧结果，并由此算出其得分",
    "learned_repeated_active": "{repeats} 次划分均如此：累计起来，获知每一名曾被留出的客户的"
    "分侧结果和得分",
    "learned_nodes": "{training} 名训练客户中，哪些客户到达各树的哪个节点；"
    "若各组的标签分布不同，可据此推测标签",
    "learned_repeated_passive": "{repeats} 次划分均如此：同一批客户被分组的次数更多，"
    "更容易推测标签",
    "learned_no_scores": "未获知留出客户的得分和标签",
    "learned_job_terms": "各方签署的任务内容：处理目的、特征列名称、参数，以及各阶段耗时",
    "learned_sizes": "从各方的报告中得知：共有客户数",
    "learned_token_matches": "每一方的客户数、共有客户数，以及两份名单之间哪些带密钥的令牌相互匹配",
    "learned_no_names": "未获知任何标识符：令牌由各机构的密钥生成，每次任务都更换，"
    "没有密钥便无从解读",
    "learned_no_contents": "未获知任何标识符、数据行、梯度或得分：各机构之间的报文不经过协调方",
    # Compliance
    "gates": "合规审查",
    "gates_how": "每一方在提案、启动和结果释放时各自执行自己的规则；以其中最严格的结论为准，"
    "列示如下。"
    "日志以英文记录理由，此处为译文；没有译文的，列出原文。",
    "verdict_ALLOW": "允许",
    "verdict_CONDITIONS": "附条件允许",
    "verdict_NEEDS_APPROVAL": "须由人工裁定",
    "verdict_DENY": "拒绝",
    "conditions": "附带条件（系统不核实其是否落实）：",
    "clauses": "引用的条款",
    "article": "第 {article} 条",
    "confidence_primary": "已核对原文",
    "confidence_secondary": "依据转载、草案或评注；引用前请核对原文",
    "confidence_unverified": "一般性了解，未核对原文",
    "not_advice": "工程参考，不构成法律意见。",
    "gate_G02": "合法性基础",
    "gate_G03": "处理目的",
    "gate_G10": "最小人群规模",
    "gate_G15": "行业监管",
    "gate_G16": "保存期限",
    "gate_G22": "双人复核",
    "gate_asks_G02": "每一方是否都列明了本法域内的合法性基础？",
    "gate_asks_G03": "对个人的告知和结果的用途，是否涵盖本次处理目的？",
    "gate_asks_G10": "共有客户是否足够多，可以公开其名单？",
    "gate_asks_G15": "银行业监管是否提出了只有人才能回答的问题：征信业务许可、事前报告、"
    "自动化决策？",
    "gate_asks_G16": "是否约定了所有遗留数据的删除时间？",
    "gate_asks_G22": "提案人与各机构的批准人是否为不同人员？",
    # Data
    "provenance": "数据来源",
    "provenance_none": "场景设定未说明数据来源。",
    "pooled_declared": "仅为与明文建模作对照，才在本机上一并读取各方文件。"
    "场景设定声明的依据：{declaration}。",
    "quality": "数据质量",
    "quality_how": "各方在自己的节点上统计自己的数据表。无法使用的行留在本节点，"
    "连同行号和原因写入剔除文件；对外只提供计数。",
    "rows_in_file": "原表行数",
    "rows_usable": "可用",
    "rows_respelled": "改写为规范写法的标识符",
    "rows_rejected": "剔除",
    "rejects_none": "没有被剔除的行。",
    "quality_label": "正样本（{share}）",
    "column": "特征列",
    "column_kind": "类型",
    "kind_numeric": "数值",
    "kind_integer": "整数",
    "kind_boolean": "是非",
    "kind_date": "日期",
    "kind_categorical": "类别",
    "missing": "缺失",
    "distinct": "不同取值",
    "spread": "取值情况",
    "notes": "说明",
    "median_of": "中位数 {median}",
    "top_share": "最常见值占 {share}",
    "none": "无",
    "not_used": "未使用",
    "warning_all_missing": "没有任何取值",
    "warning_constant": "所有取值相同，不提供任何信息",
    "warning_duplicate": "取值与 {other} 完全相同",
    "warning_mostly_missing": "大部分缺失",
    "warning_like_an_identifier": "几乎每行取值各不相同，类似标识符",
    "warning_looks_like_the_label": "单凭该列即可推断结果：是否为变相的标签，或事后才得知的信息？",
    "warning_missingness_predicts_the_label": "是否填写即可推断结果：是否为事后填写？",
    "warning_one_class": "所有行的结果相同",
    "warning_rare_class": "其中一类结果不足百分之一",
    "warning_too_few_to_look_for_disguises": "其中一类结果过少，无法检查变相的标签",
    "quality_group": "本报告归 {active} 所有：不列示 {party} 各特征列的统计。",
    "treatment": "不做填充，也不做标准化：每次分裂时，由树模型学习缺失值归入哪一侧；"
    "对特征列做缩放不会改变任何分裂。",
    "reason_wrong_number_of_fields": "字段数不符",
    "reason_missing_identifier": "缺少标识符",
    "reason_duplicate_identifier": "标识符重复",
    "reason_empty": "标识符为空",
    "reason_too_long": "标识符过长",
    "reason_bad_characters": "含有标识符中不应出现的字符",
    "reason_malformed": "不是该类型的标识符",
    "reason_unassigned_number": "号码未分配",
    "reason_bad_birth_date": "出生日期不成立",
    "reason_bad_checksum": "校验码错误",
    "reason_not_a_number": "不是数值",
    "reason_not_an_integer": "不是整数",
    "reason_not_a_boolean": "不是“是”或“否”",
    "reason_not_a_date": "不是日期",
    "reason_no_consent": "未取得同意",
    "reason_no_label": "缺少标签",
    # Cryptography
    "primitives": "使用的密码算法",
    "primitives_how": "运行期间的实际记录：调用过的每一种密码算法，以及调用它的系统部分。",
    "primitive": "算法",
    "used_for": "用途",
    "used_by": "调用方",
    "use_hash": "摘要：日志、报文、任务",
    "use_mac": "带密钥的摘要",
    "use_derive": "密钥派生",
    "use_seal": "对落盘的运行记录、行映射表和模型加密",
    "use_stream": "由秘密种子生成随机流",
    "use_tokens": "供协调方比对的令牌",
    "use_curve": "签名，以及求交中的椭圆曲线点运算",
    "use_signature": "签名",
    "use_agreement": "密钥协商",
    "use_hash_to_curve": "求交时把标识符映射为曲线上的点",
    "use_inside_hash_to_curve": "仅用于映射到曲线的过程之中",
    "use_robust_hash": "高速求交内部的摘要",
    "use_points": "不经意传输和加密求和所用的曲线点",
    "use_homomorphic": "对加密梯度求和",
    "use_entropy": "生成新的种子、密钥和随机数",
    "use_transport": "机构之间的传输",
    "exceptions": "套件之外的算法及其理由",
    "primitives_none": "本次运行未记录所调用的密码算法。",
    # Cost
    "cost": "运行成本",
    "cost_how": "本机上最慢一方的耗时，包含等待其他方的时间。字节数和报文数为各方发送量。",
    "phase": "阶段",
    "phase_align": "求交对齐",
    "phase_match": "公开匹配结果",
    "phase_train": "训练",
    "phase_evaluate": "评估",
    "seconds": "耗时",
    "sent": "发送量",
    "messages": "报文数",
    "total": "合计",
    # Audit
    "audit": "审计记录及其核验",
    "audit_how": "每一方各自保存日志，并由其他方会签其状态。以下命令无需联网，可重新计算下列每一个 "
    "Merkle 根：",
    "audit_trust": "此处的 {trust} 由同一次运行生成，只用于演示核验方法。"
    "机构之间应在本系统之外核对密钥指纹。",
    "audit_not": "核验可以表明：自对方会签以来，没有记录被修改、删除或调换次序。"
    "核验不能表明：输入真实、记录完整，或各方没有串通作假。",
    "log_of": "日志所属",
    "events": "事件数",
    "root": "Merkle 根",
    "bundle": "审计包",
    # Limits, parameters
    "limits": "结果的局限",
    "limit_simulation": "所有机构都在同一台机器上、由同一人控制运行。"
    "本报告不说明各部分在独立机构之间的表现。",
    "limit_interval": "置信区间只反映留出客户的抽样，不涵盖其他随机种子、其他划分或今后的客户。",
    "limit_repeats": "单次划分的置信区间只反映留出客户的抽样；"
    "均值的区间还涵盖同一批客户的其他划分。"
    "两者都不涵盖今后的客户。",
    "limit_semi_honest": "协议防范的是遵守协议、但试图从所见内容中获知更多信息的机构（半诚实模型）"
    "。"
    "机构若在自己的数据上作假，不会被发现。",
    "parameters": "参数与版本",
    "parameter": "参数",
    "parameter_seed": "样本与划分的随机种子",
    "parameter_kind": "模型类型",
    "parameter_trees": "树的棵数",
    "parameter_depth": "树的深度",
    "parameter_bins": "每列分箱数",
    "parameter_learning_rate": "学习率",
    "parameter_l2": "L2 正则化系数",
    "parameter_minimum_bin_count": "分裂任一侧的最少训练客户数",
    "parameter_first_tree_active_only": "第一棵树只用主动方的特征列",
    "parameter_paillier_bits": "Paillier 模数位数",
    "parameter_held_out_percent": "留出客户的百分比",
    "parameter_repeats": "划分次数",
    "setting": "取值",
    "component": "组件",
    "version": "版本",
    # The closing summary on the terminal
    "interval": "95% 置信区间",
    "summary_can_predict": "预测目标：{label}",
    "summary_can_predict_first": "预测目标（{repeats} 次划分中的第一次）：{label}",
    "summary_report": "报告",
    "summary_bundles": "审计包",
    "summary_verify": "离线核验审计包：",
    "summary_sent": "{party} 的发送量",
    "summary_left_out": "剔除 {rows} 行",
    "summary_floor": "少于 {floor} 名则不公开",
    "summary_learned": "{party}：{learned}",
}
