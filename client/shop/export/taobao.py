"""Taobao and Tmall: 订单报表 (an order a row) and 宝贝报表 (a line a row), which belong together by 订单编号.

Read: code that writes and reads these files, old and new. The old report of lines has no day: read together with the
report of orders (one source whose location is a pattern) it has. An order that was closed (交易关闭) after it had been
paid is a sale that went back; closed before, it was cancelled. Times are of Beijing, the encoding is GBK.
"""

from client.shop.export.description import Export
from client.shop.record import State

_STATES: dict[State, tuple[str, ...]] = {
    "sold": (
        "交易成功", "卖家已发货，等待买家确认", "买家已付款，等待卖家发货",
        "卖家部分发货", "卖家已发货", "买家已付款", "已发货", "待发货", "已完成", "部分发货", "已退款", "等待卖家发货",
        "等待买家确认收货", "TRADE_FINISHED", "WAIT_SELLER_SEND_GOODS", "WAIT_BUYER_CONFIRM_GOODS",
    ),
    "cancelled": ("交易关闭", "已关闭", "已取消", "TRADE_CLOSED", "TRADE_CLOSED_BY_TAOBAO"),
    "unpaid": ("等待买家付款", "待付款", "没有创建支付宝交易", "WAIT_BUYER_PAY"),
}  # fmt: skip
_REFUNDED = ("退款成功", "已退款", "退款完成", "全额退款")
_ORDER = {
    "state": ("订单状态", "交易状态", "订单交易状态"),
    "paid": ("订单付款时间", "付款时间", "买家付款时间"),
    "user": ("买家会员名", "买家昵称", "买家会员名称", "买家旺旺"),
    "phone": ("联系手机", "买家手机"),
    "currency": ("币种",),
}

EXPORTS = (
    Export(
        format="taobao",
        title="Taobao or Tmall, 宝贝报表 (a row a line)",
        columns={
            **_ORDER,
            "order": ("主订单编号", "订单编号", "订单号", "主订单号"),
            "line": ("子订单编号", "子订单号"),
            "day": ("订单创建时间", "创建时间", "下单时间", "买家下单时间"),
            "sku": ("商家编码", "外部系统编号", "商家SKU编码"),
            "product": ("商品ID", "商品Id", "宝贝ID", "商品id"),
            "variant": ("商品属性", "规格名称", "宝贝规格", "商品规格"),
            "title": ("标题", "宝贝标题", "商品标题", "宝贝名称"),
            "quantity": ("购买数量", "宝贝数量", "商品数量", "数量"),
            "amount": ("买家实付金额", "买家实际支付金额", "买家应付货款"),
            "price": ("价格", "商品价格", "单价"),
            "line_refund": ("退款金额", "买家退款金额"),
            "refund_state": ("退款状态", "售后状态"),
        },
        needed=("order", "title", "quantity"),
        marks=("购买数量", "外部系统编号", "套餐信息", "子订单编号"),
        states=_STATES,
        refunded=_REFUNDED,
        zone="Asia/Shanghai",
        currency="CNY",
    ),
    Export(
        format="taobao",
        title="Taobao or Tmall, 订单报表 (a row an order)",
        columns={
            **_ORDER,
            "order": ("订单编号", "订单号"),
            "day": ("订单创建时间", "创建时间", "买家下单时间"),
            "sku": ("商家编码",),
            "title": ("宝贝标题", "宝贝标题 "),
            "kinds": ("宝贝种类",),
            "quantity": ("宝贝总数量", "宝贝数量"),
            "amount": ("买家实际支付金额", "买家实付金额", "总金额", "买家应付货款"),
            "line_refund": ("退款金额", "买家退款金额"),
            "refund_state": ("退款状态",),
        },
        needed=("order", "day", "title"),
        marks=("买家会员名", "宝贝种类", "买家支付宝账号", "宝贝总数量", "买家实际支付金额"),
        states=_STATES,
        refunded=_REFUNDED,
        zone="Asia/Shanghai",
        currency="CNY",
    ),
)  # fmt: skip
