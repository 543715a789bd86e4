"""The shop's orders as Taobao's seller centre exports them, a line an item.

GBK, long numbers written as a formula, times by the clock of Beijing wherever the shop stands.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from client.shop.invented.person import plain
from client.shop.invented.shop import OTHER_CURRENCY, Line, Order

COLUMNS = (
    "子订单编号",
    "主订单编号",
    "买家会员名",
    "标题",
    "价格",
    "购买数量",
    "商品属性",
    "备注",
    "订单状态",
    "商家编码",
    "买家应付货款",
    "买家实际支付金额",
    "退款状态",
    "退款金额",
    "订单创建时间",
    "订单付款时间",
    "收货人姓名",
    "收货地址",
    "联系手机",
)
BEIJING = ZoneInfo("Asia/Shanghai")
_GROUPS = {"Tee": "茶叶", "Kaffee": "咖啡", "Geschirr": "茶具", "Gebäck": "点心"}
# The platform knows no test orders: they are closed.
_STATUS = {"sold": "交易成功", "cancelled": "交易关闭", "test": "交易关闭", "unpaid": "等待买家付款"}
YUAN = {"EUR": 7.8, OTHER_CURRENCY: 8.2}  # it knows one currency


def write_taobao(orders: tuple[Order, ...]) -> bytes:
    """Write an export, the latest order first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for order in reversed(orders):
        writer.writerows(_cells(order, line, place) for place, line in enumerate(order.lines))
    return text.getvalue().encode("gbk")


def _cells(order: Order, line: Line, place: int) -> Iterable[object]:
    person, rate = order.person, YUAN[order.currency]
    number = 2_187_000_000_000_000_000 + order.number * 1000
    is_paid, at = order.state == "sold", order.at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
    name = line.product.name if line.product.name == "NA" else f"{_GROUPS[line.product.category]} {line.product.code}"
    return (
        f'="{number + place + 1}"',
        f'="{number}"',
        f"tb_{plain(person.last_name)}",
        name,
        f"{line.price * rate:.2f}",
        line.quantity,
        "",
        "" if order.note.isascii() and "\n" not in order.note else "请小心轻放",
        _STATUS[order.state],
        line.product.code,
        f"{line.amount * rate:.2f}",
        f"{line.amount * rate if is_paid else 0:.2f}",
        "退款成功" if line.returned else "没有申请退款",
        f"{line.returned * line.price * rate:.2f}",
        at,
        at if is_paid else "",
        plain(person.name),
        plain(person.street),
        person.telephone,
    )
