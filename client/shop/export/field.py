"""What the fields of every kind of record are called in English, German and Chinese, the likeliest word first."""

from __future__ import annotations

from client.shop.record import Kind

_DAY = (
    "day", "date", "order date", "ordered at", "order day", "created at", "created", "sale date", "sales date",
    "invoice date", "transaction date", "purchase date", "order time", "datetime", "timestamp", "time", "ds", "dt",
    "datum", "tag", "bestelldatum", "auftragsdatum", "verkaufsdatum", "belegdatum", "rechnungsdatum", "kaufdatum",
    "erstellt am", "erstellt", "bestellt am", "zeitpunkt", "zeitstempel",
    "日期", "下单时间", "订单日期", "下单日期", "订单时间", "销售日期", "订单创建时间", "创建时间", "付款时间",
    "统计日期", "时间",
    "交易时间", "成交时间", "paid at", "invoicedate", "orderdate",
)  # fmt: skip
_PRODUCT = (
    "product id", "sku", "item id", "product code", "article", "article number", "item number", "item no",
    "stock code",
    "stockcode", "product sku", "variant id", "ean", "gtin", "upc", "asin", "barcode", "item code", "product", "item",
    "product name", "item name", "title", "product title", "item title", "name", "description", "goods",
    "artikelnummer", "artikel nr", "artikelnr", "art nr", "artnr", "artikel", "produktnummer", "produkt id",
    "produkt",
    "warennummer", "materialnummer", "artikelbezeichnung", "bezeichnung", "artikelname", "produktname",
    "商品编码", "商品编号", "商品id", "货号", "商家编码", "款号", "产品编号", "产品编码", "条码", "sku编码",
    "商品代码", "宝贝id",
    "商品", "产品", "商品名称", "产品名称", "品名", "宝贝标题", "宝贝名称", "名称", "标题",
)  # fmt: skip
PRODUCT_NAMES = (
    "product name", "item name", "title", "product title", "item title", "name", "description", "artikelbezeichnung",
    "bezeichnung", "artikelname", "produktname", "商品名称", "产品名称", "品名", "宝贝标题", "宝贝名称", "名称",
    "标题",
    "商品标题",
)  # fmt: skip
_CUSTOMER = (
    "customer id", "customer number", "customer no", "customer", "client id", "client", "buyer id", "user id",
    "userid",
    "customerid", "account id", "member id", "visitor id", "visitor", "user", "customer email", "email", "e mail",
    "mail", "buyer email", "phone", "telephone", "mobile", "customer phone", "buyer username", "username", "buyer",
    "kundennummer", "kunden nr", "kundennr", "kunde", "kunden id", "käufer", "kundin", "e mail adresse", "telefon",
    "telefonnummer", "handy", "nutzername",
    "客户编号", "客户id", "会员编号", "会员id", "用户id", "买家id", "客户", "会员", "顾客", "用户", "邮箱", "手机",
    "手机号", "电话",
    "联系电话", "买家会员名", "会员名", "用户名",
)  # fmt: skip
_ORDER = (
    "order id", "order number", "order no", "order", "order nr", "invoice", "invoice number", "invoice no",
    "invoiceno", "transaction id", "receipt", "receipt number", "orderid", "ordernumber", "basket id", "order name",
    "bestellnummer", "bestellung", "auftragsnummer", "auftrag", "bestell nr", "bestellnr", "belegnummer", "beleg",
    "rechnungsnummer", "bon", "auftragsnr", "belegnr",
    "订单号", "订单编号", "单号", "订单", "交易号", "小票号", "销售单号", "主订单编号",
)  # fmt: skip
_LINE = (
    "line", "line id", "order line", "line number", "line no", "line item id", "order item id", "item line",
    "position",
    "pos", "order line id", "zeile", "positionsnummer", "bestellposition", "zeilennummer",
    "行号", "子订单编号", "子订单号", "明细号", "序号", "子单号",
)  # fmt: skip
_QUANTITY = (
    "quantity", "qty", "units", "units sold", "quantity sold", "sold", "pieces", "pcs", "count", "sales units",
    "unit sales", "items sold", "order quantity", "ordered quantity", "num sold", "y", "demand", "sales qty", "sales",
    "menge", "anzahl", "stück", "stückzahl", "absatz", "verkauft", "verkaufte menge", "verkaufsmenge", "bestellmenge",
    "verkäufe", "stk", "positionsmenge",
    "数量", "销量", "件数", "购买数量", "订购数量", "销售数量", "商品数量", "销售件数", "成交件数", "支付件数",
    "售出数量",
)  # fmt: skip
_PRICE = (
    "price", "unit price", "item price", "selling price", "unitprice", "price per unit", "price each", "retail price",
    "preis", "einzelpreis", "stückpreis", "verkaufspreis", "vk", "vk preis", "preis pro stück",
    "单价", "价格", "售价", "销售价", "商品单价", "销售单价", "零售价", "现价",
)  # fmt: skip
_AMOUNT = (
    "amount", "line total", "item total", "total", "revenue", "total price", "net sales", "gross sales", "turnover",
    "line amount", "subtotal", "sales amount", "value", "net amount", "gross amount", "total amount", "sum",
    "sales value",
    "betrag", "umsatz", "gesamtpreis", "gesamt", "summe", "gesamtbetrag", "zeilensumme", "nettobetrag",
    "bruttobetrag",
    "erlös", "positionswert", "nettoumsatz",
    "金额", "销售额", "总价", "实付金额", "支付金额", "成交金额", "销售金额", "小计", "总金额", "合计", "营业额",
    "应付金额",
)  # fmt: skip
_CURRENCY = ("currency", "currency code", "ccy", "iso currency", "währung", "währungscode", "币种", "货币")
_STATE = (
    "status", "state", "order status", "financial status", "payment status", "order state",
    "bestellstatus", "auftragsstatus", "zahlungsstatus", "zustand",
    "状态", "订单状态", "交易状态", "付款状态", "支付状态",
)  # fmt: skip
_UPDATED = (
    "updated at", "updated", "modified", "last modified", "last updated", "modified at", "last update",
    "geändert am", "geändert", "aktualisiert", "aktualisiert am", "letzte änderung", "更新时间", "修改时间",
    "最后更新时间",
)  # fmt: skip
_SECOND = ("time of day", "order hour", "clock", "uhrzeit", "zeit", "下单时刻", "时刻")
_SESSION = ("session", "session id", "visit id", "sitzung", "sitzungs id", "会话", "会话id")
_FIRST = (
    "start", "start date", "from", "valid from", "first day", "begin", "begins", "begin date", "starts", "date from",
    "starts at", "effective from", "effective date", "from date",
    "von", "ab", "beginn", "start datum", "startdatum", "gültig ab", "gültig von", "erster tag", "anfang",
    "开始日期", "开始时间", "开始", "起始日期", "生效日期", "起", "生效时间",
)  # fmt: skip
_LAST = (
    "end", "end date", "to", "until", "valid to", "valid until", "last day", "ends", "date to", "till", "to date",
    "ends at", "bis", "ende", "enddatum", "gültig bis", "letzter tag",
    "结束日期", "结束时间", "结束", "截止日期", "失效日期", "止", "失效时间",
)  # fmt: skip
_NAME = (
    "name", "title", "description", "label", "event", "event name", "holiday", "reason", "promotion",
    "promotion name",
    "campaign", "offer", "bezeichnung", "titel", "beschreibung", "anlass", "grund", "veranstaltung", "ereignis",
    "aktion", "feiertag", "aktionsname",
    "名称", "活动名称", "活动", "标题", "原因", "节日", "促销名称", "事件",
)  # fmt: skip
_KNOWN = ("known from", "announced", "announced at", "known since", "published", "bekannt seit", "angekündigt am",
          "bekannt ab", "公布日期", "发布日期")  # fmt: skip
_CATEGORY = (
    "category", "product category", "product type", "category name", "department", "group", "product group", "type",
    "kategorie", "warengruppe", "produktgruppe", "produktkategorie", "sortiment",
    "类目", "分类", "品类", "商品分类", "类别", "一级类目", "商品类目",
)  # fmt: skip
VIEW_WORDS = (
    "views", "page views", "pageviews", "product views", "visits", "impressions", "hits", "view count", "clicks",
    "aufrufe", "seitenaufrufe", "produktaufrufe", "besuche", "ansichten", "klicks",
    "浏览量", "浏览次数", "访客数", "访问量", "商品浏览量", "点击量", "pv", "uv", "商品访客数",
)  # fmt: skip
CART_WORDS = (
    "carts", "add to cart", "added to cart", "cart adds", "adds to cart", "cart quantity", "add to carts",
    "cart additions",
    "in den warenkorb", "warenkorb", "warenkörbe", "warenkorb menge",
    "加购", "加购件数", "加购数", "加入购物车", "加购次数", "加购人数", "商品加购件数",
)  # fmt: skip
_WORDS = (
    "search term", "search terms", "search query", "query", "keyword", "keywords", "search", "searched for",
    "search words", "suchbegriff", "suchbegriffe", "suchanfrage", "suchwort", "suche",
    "搜索词", "关键词", "搜索关键词", "搜索", "检索词",
)  # fmt: skip
_SEARCHES = ("searches", "search count", "count", "quantity", "times", "frequency", "anzahl", "häufigkeit",
             "suchen", "搜索次数", "次数", "搜索量", "搜索人数")  # fmt: skip
_RATING = ("rating", "stars", "score", "review rating", "star rating", "note", "bewertung", "sterne",
           "bewertung sterne", "punkte", "评分", "星级", "打分", "分数")  # fmt: skip
_TEXT = ("review", "text", "review text", "comment", "body", "review body", "content", "feedback", "message",
         "bewertungstext", "rezension", "kommentar", "评价", "评价内容", "评论", "评论内容", "内容")  # fmt: skip
_ON_HAND = (
    "stock", "on hand", "in stock", "stock level", "inventory", "available", "stock quantity", "quantity on hand",
    "available stock", "inventory level", "inventory quantity", "closing stock", "on hand quantity", "qty on hand",
    "bestand", "lagerbestand", "verfügbar", "lagermenge", "verfügbarer bestand", "vorrat",
    "库存", "库存数量", "可售库存", "现有库存", "库存量", "可用库存", "在库数量",
)  # fmt: skip
_OUT = (
    "out of stock", "stockout", "stock out", "sold out", "is out", "out", "oos", "availability", "in stock",
    "stock status", "available", "ausverkauft", "nicht verfügbar", "lieferbar", "verfügbarkeit", "vergriffen",
    "缺货", "是否缺货", "售罄", "有货", "是否有货", "库存状态", "断货",
)  # fmt: skip
_DISCOUNT = ("discount", "discount rate", "percent off", "discount percent", "off", "rebate", "reduction", "rabatt",
             "nachlass", "rabatt prozent", "ermäßigung", "折扣", "优惠", "折扣率", "优惠力度")  # fmt: skip
SUPPLIER_WORDS = (
    "supplier", "vendor", "supplier name", "vendor name", "manufacturer", "wholesaler", "supplier id", "distributor",
    "lieferant", "hersteller", "lieferantenname", "großhändler", "kreditor", "lieferanten nr", "lieferantennummer",
    "供应商", "供货商", "厂家", "厂商", "供应商名称", "批发商",
)  # fmt: skip
_UNIT_COST = (
    "unit cost", "cost", "purchase price", "cost price", "buying price", "cost per item", "cost per unit", "buy price",
    "wholesale price", "cogs", "supplier price",
    "einkaufspreis", "ek", "ek preis", "einstandspreis", "kosten", "ek netto", "bezugspreis",
    "进价", "成本", "采购价", "进货价", "成本价", "采购单价",
)  # fmt: skip
LEAD_WORDS = (
    "lead days", "lead time", "lead time days", "leadtime", "delivery days", "delivery time", "days to deliver",
    "replenishment time", "lieferzeit", "lieferzeit tage", "wiederbeschaffungszeit", "beschaffungszeit", "lieferdauer",
    "交货期", "交期", "采购周期", "到货天数", "供货周期", "备货天数", "提前期",
)  # fmt: skip
_LEAD_SPREAD = ("lead spread days", "lead time spread", "lead time deviation", "lead time std", "lead time sd",
                "lieferzeit streuung", "schwankung der lieferzeit", "交期波动", "交货期波动")  # fmt: skip
_REVIEW = ("review days", "review period", "order cycle", "order every", "days between orders", "order interval",
           "bestellrhythmus", "bestellintervall", "bestellzyklus", "订货周期", "下单周期", "补货周期")  # fmt: skip
MINIMUM_WORDS = (
    "minimum quantity", "moq", "minimum order quantity", "min order quantity", "min qty", "minimum order",
    "mindestbestellmenge", "mindestmenge", "mindestabnahme", "最小起订量", "起订量", "最小订货量", "最低起订量",
)  # fmt: skip
PACK_WORDS = (
    "pack size", "case size", "case pack", "carton", "units per case", "order multiple", "pack", "multiple",
    "units per carton", "inner pack", "verpackungseinheit", "ve", "gebinde", "packungsgröße", "kartonmenge",
    "losgröße", "箱规", "装箱数", "包装数量", "每箱数量", "订货倍数", "包装规格",
)  # fmt: skip
_SHELF_LIFE = ("shelf life days", "shelf life", "days to expiry", "haltbarkeit", "haltbarkeit tage", "haltbar tage",
               "保质期", "保质期天数", "有效期")  # fmt: skip
_SERVICE = ("service level", "target service level", "availability target", "servicegrad", "lieferbereitschaft",
            "服务水平", "现货率目标")  # fmt: skip
_OUT_COST = ("out cost", "cost of being out", "stockout cost", "shortage cost", "fehlmengenkosten", "缺货成本")
PURCHASE_WORDS = (
    "purchase order", "po number", "po", "purchase order number", "po no", "purchase id",
    "bestellnummer lieferant", "einkaufsbestellung", "lieferantenbestellung", "ek bestellung",
    "采购单号", "采购订单号", "采购单", "进货单号", "采购编号",
)  # fmt: skip
_OPEN_QUANTITY = (
    "on order", "open quantity", "quantity open", "outstanding", "quantity on order", "remaining quantity", "incoming",
    "offene menge", "bestellt", "im zulauf", "在途数量", "在途", "未到数量", "待收数量", "采购数量",
)  # fmt: skip
_ORDERED = ("ordered day", "ordered on", "order date", "ordered at", "po date", "purchase date", "date ordered",
            "bestelldatum", "bestellt am", "采购日期", "下单日期", "订货日期")  # fmt: skip
EXPECTED_WORDS = (
    "expected day", "expected", "expected arrival", "eta", "expected date", "delivery date", "due date", "due",
    "arrival date", "expected delivery", "lieferdatum", "liefertermin", "erwartet", "erwartet am", "ankunft",
    "预计到货", "预计到货日期", "到货日期", "交货日期", "预计到达",
)  # fmt: skip
_ARRIVED = ("arrived day", "arrived", "received", "received at", "received on", "date received", "eingegangen",
            "wareneingang", "geliefert am", "实际到货", "入库日期", "收货日期")  # fmt: skip
RETURN_DAYS = ("return date", "returned at", "refund date", "refunded at", "date returned", "return day",
               "retourendatum", "rückgabedatum", "erstattungsdatum", "retoure am", "erstattet am",
               "退货时间", "退款时间", "退货日期", "退款日期", "退款完结时间")  # fmt: skip
RETURN_QUANTITIES = ("returned quantity", "return quantity", "quantity returned", "returns", "retourenmenge",
                     "retouren", "retournierte menge", "退货数量", "退款件数", "退货件数")  # fmt: skip
CLOSURE_WORDS = ("clos", "geschlossen", "schließ", "betriebsferien", "休息", "停业", "歇业", "休市")

WORDS: dict[Kind, dict[str, tuple[str, ...]]] = {
    "sales": {
        "day": _DAY, "second": _SECOND, "product": _PRODUCT, "quantity": _QUANTITY, "amount": _AMOUNT, "price": _PRICE,
        "order": _ORDER, "line": _LINE, "customer": _CUSTOMER, "currency": _CURRENCY, "state": _STATE,
        "updated": _UPDATED,
    },
    "returns": {
        "day": (*RETURN_DAYS, *_DAY), "product": _PRODUCT, "quantity": (*RETURN_QUANTITIES, *_QUANTITY),
        "amount": ("refund amount", "refunded amount", "refund", "erstattungsbetrag", "退款金额", *_AMOUNT),
        "order": _ORDER, "line": _LINE, "customer": _CUSTOMER, "currency": _CURRENCY, "updated": _UPDATED,
    },
    "views": {
        "day": _DAY, "product": _PRODUCT, "quantity": VIEW_WORDS, "customer": _CUSTOMER, "session": _SESSION,
    },
    "carts": {
        "day": _DAY, "product": _PRODUCT, "quantity": CART_WORDS, "customer": _CUSTOMER, "session": _SESSION,
    },
    "searches": {"day": _DAY, "words": _WORDS, "quantity": _SEARCHES, "customer": _CUSTOMER},
    "reviews": {"day": _DAY, "product": _PRODUCT, "rating": _RATING, "text": _TEXT, "customer": _CUSTOMER},
    "stock": {"day": _DAY, "product": _PRODUCT, "on_hand": _ON_HAND, "out": _OUT, "updated": _UPDATED},
    "prices": {
        "first_day": (*_FIRST, *_DAY), "last_day": _LAST, "product": _PRODUCT, "price": _PRICE, "currency": _CURRENCY,
    },
    "promotions": {
        "first_day": (*_FIRST, *_DAY), "last_day": _LAST, "product": _PRODUCT, "category": _CATEGORY, "name": _NAME,
        "discount": _DISCOUNT, "known_from": _KNOWN,
    },
    "closures": {"first_day": (*_FIRST, *_DAY), "last_day": _LAST, "name": _NAME},
    "events": {"first_day": (*_FIRST, *_DAY), "last_day": _LAST, "name": _NAME, "known_from": _KNOWN},
    "products": {"product": _PRODUCT, "name": PRODUCT_NAMES, "category": _CATEGORY},
    "terms": {
        "product": _PRODUCT, "supplier": SUPPLIER_WORDS, "unit_cost": _UNIT_COST, "currency": _CURRENCY,
        "lead_days": LEAD_WORDS, "lead_spread_days": _LEAD_SPREAD, "review_days": _REVIEW,
        "minimum_quantity": MINIMUM_WORDS, "pack_size": PACK_WORDS, "shelf_life_days": _SHELF_LIFE,
        "service_level": _SERVICE, "out_cost": _OUT_COST,
    },
    "on_order": {
        "order": (*PURCHASE_WORDS, *_ORDER), "product": _PRODUCT, "supplier": SUPPLIER_WORDS,
        "quantity": (*_OPEN_QUANTITY, *_QUANTITY), "ordered_day": (*_ORDERED, *_DAY), "expected_day": EXPECTED_WORDS,
        "arrived_day": _ARRIVED, "updated": _UPDATED,
    },
}  # fmt: skip
DAYS = frozenset({
    "day", "first_day", "last_day", "known_from", "updated", "ordered_day", "expected_day", "arrived_day",
})  # fmt: skip
NUMBERS = frozenset({
    "quantity", "amount", "price", "rating", "on_hand", "discount", "unit_cost", "lead_days", "lead_spread_days",
    "review_days", "minimum_quantity", "pack_size", "shelf_life_days", "service_level", "out_cost",
})  # fmt: skip
