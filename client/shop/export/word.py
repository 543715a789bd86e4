"""Words in English, German and Chinese: what columns are called, what states are called, what is no product."""

from __future__ import annotations

from client.shop.record import State

# Lines of an order that are no product: whole titles, and how titles of gift cards begin.
NO_PRODUCT = (
    r"^\s*(?:"
    r"(?:shipping|delivery|postage|handling)(?: (?:and|&) handling)?(?: (?:cost|costs|fee|fees|charge|charges))?"
    r"|shipping (?:protection|insurance)|tips?|gratuity|discounts?|coupon|rounding|(?:gift[- ]?wrap(?:ping)?)(?: fee)?"
    r"|deposit fee|(?:payment|service|cod|transaction) fees?"
    r"|versand(?:kosten|gebühr(?:en)?)?|porto|lieferkosten|trinkgeld|rabatt|nachlass|skonto|geschenkverpackung|rundung"
    r"|nachnahmegebühr"
    r"|运费|邮费|快递费|配送费|小费|优惠|折扣|优惠券|红包|差价|补差价|邮费补差|运费补差|包装费|服务费|手续费"
    r")\s*$"
    r"|^\s*(?:e-?|digital(?:e|er)? )?(?:gift ?cards?|gift (?:certificates?|vouchers?)|geschenkgutscheine?"
    r"|geschenkkarten?|wertgutscheine?|gutscheine?)(?:\s*(?:[-–—/|:(,].*|[0-9$€£¥].*|über .*)?)$"
    r"|^(?:电子)?(?:礼品卡|礼品券|购物卡|储值卡|代金券)(?:[\s\-–—/|:：(（,，0-9¥￥元].*)?$"
)
TOTALS = (
    r"^\s*(?:(?:grand |sub[- ]?|over-?all )?totals?|sum|all products"
    r"|(?:gesamt|zwischen|end)?summe|gesamt|insgesamt|gesamtergebnis|ergebnis"
    r"|合计|总计|小计|共计|总和|汇总)\s*[:：]?\s*$"
)
TEST_PAYMENTS = ("bogus", "bogus gateway", "(for testing) bogus gateway", "test", "test gateway", "testzahlung")
TEST_TAG = r"(?:^|,)\s*(?:test|test[- ]order|testbestellung|测试|测试订单)\s*(?:,|$)"
YES = ("true", "yes", "y", "1", "on", "ja", "wahr", "x", "是", "√", "有")
NO = ("false", "no", "n", "0", "off", "nein", "falsch", "否", "无", "没有")
OUT_WORDS = ("out of stock", "outofstock", "out", "sold out", "soldout", "unavailable", "not available", "ausverkauft",
             "nicht verfügbar", "nicht auf lager", "vergriffen", "缺货", "无货", "售罄", "断货",
             "已售罄")  # fmt: skip
IN_WORDS = ("in stock", "instock", "in", "available", "low stock", "backorder", "onbackorder", "verfügbar", "auf lager",
            "lieferbar", "有货", "现货", "在售", "充足")  # fmt: skip
STATES: dict[State, tuple[str, ...]] = {
    "sold": (
        "paid", "sold", "completed", "complete", "processing", "shipped", "delivered", "fulfilled", "closed", "done",
        "ok", "active", "authorized", "partially_paid", "partially_refunded", "partially refunded", "refunded",
        "sale",
        "returned", "invoiced", "confirmed", "open", "new", "ordered", "sent", "in transit", "success", "succeeded",
        "bezahlt", "verkauft", "abgeschlossen", "versendet", "versandt", "verschickt", "geliefert", "zugestellt",
        "in bearbeitung", "erledigt", "erstattet", "rückerstattet", "retourniert", "neu", "offen", "bestätigt",
        "fakturiert", "verkauf",
        "已付款", "已完成", "完成", "已发货", "待发货", "已收货", "已签收", "交易成功", "已支付", "处理中", "已退款",
        "待收货", "已确认", "成功",
    ),
    "cancelled": (
        "cancelled", "canceled", "cancel", "void", "voided", "deleted", "trash", "rejected", "declined", "annulled",
        "storniert", "storno", "abgebrochen", "gelöscht", "abgelehnt", "annulliert", "widerrufen",
        "已取消", "取消", "交易关闭", "已关闭", "已作废", "作废", "已删除", "拒收",
    ),
    "test": ("test", "testing", "test order", "testbestellung", "testauftrag", "测试", "测试订单"),
    "unpaid": (
        "unpaid", "pending", "pending payment", "awaiting payment", "failed", "on-hold", "on hold", "expired",
        "draft",
        "abandoned", "payment failed", "not paid", "payment pending",
        "unbezahlt", "offene zahlung", "zahlung ausstehend", "ausstehend", "fehlgeschlagen", "nicht bezahlt",
        "zahlung offen", "entwurf",
        "未付款", "待付款", "未支付", "待支付", "等待付款", "等待买家付款", "付款失败", "草稿",
    ),
}  # fmt: skip
REFUNDED = ("refunded", "returned", "chargeback", "erstattet", "rückerstattet", "retourniert", "zurückgesandt",
            "已退款", "退款成功", "已退货", "退货")  # fmt: skip
