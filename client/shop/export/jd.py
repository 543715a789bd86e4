"""JD: 京东商家 orders, a line a row, what belongs to the order in each of its rows or the first.

Read: code that reads these files. 京东价 is of one piece; 订单金额 and 应付金额 are of the order. Times are of Beijing.
A set (套装) whose parts say which set they belong to counts as its parts.
"""

from client.shop.export.description import Export

EXPORTS = (
    Export(
        format="jd",
        title="JD orders (京东商家订单)",
        columns={
            "order": ("订单号", "订单编号"),
            "line": ("子单号",),
            "day": ("下单时间", "订单创建时间"),
            "paid": ("付款确认时间", "付款时间"),
            "sku": ("货号", "商家SKUID", "商家SKU", "商家编码"),
            "product": ("商品ID", "商品编号", "SKU编号", "商品SKU"),
            "title": ("商品名称",),
            "quantity": ("订购数量", "商品数量", "数量"),
            "price": ("京东价", "单价"),
            "amount": ("商品应付金额", "商品实付金额"),
            "discount": ("商品优惠金额",),
            "currency": ("币种",),
            "state": ("订单状态",),
            "user": ("下单帐号", "下单账号"),
            "phone": ("联系电话", "客户电话"),
            "parent": ("套装ID", "套装编号", "所属套装", "主商品ID"),
            "refund_state": ("售后状态", "退款状态"),
            "line_refund": ("退款金额",),
        },
        needed=("order", "day", "title", "quantity"),
        marks=("京东价", "订购数量", "下单帐号", "下单账号"),
        states={
            "sold": (
                "完成", "已完成", "等待出库", "等待确认收货", "等待发货", "待出库", "待收货", "已出库", "锁定", "暂停",
                "配送中", "已签收", "等待收货",
            ),
            "cancelled": ("已取消", "取消", "(删除)等待出库", "(删除)等待确认收货", "(删除)锁定", "已删除", "删除"),
            "unpaid": ("等待付款", "未付款", "(删除)等待付款", "等待付款确认", "待付款"),
        },
        refunded=("退款成功", "已退款"),
        zone="Asia/Shanghai",
        currency="CNY",
    ),
)  # fmt: skip
