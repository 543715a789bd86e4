"""From a file as it lies on disk to records: looked at, proposed, opened and converted, and nothing said by hand."""

from datetime import date

import pytest

from client.shop.export.conversion import Converter, merge
from client.shop.export.proposal import propose
from client.shop.settings import SourceSettings
from client.shop.source.opening import look, open_source

EBAY = (
    ",,,,,,,,,\n"
    '"Sales Record Number","Order Number","Buyer Username","Buyer Email","Item Number","Item Title","Custom Label",'
    '"Quantity","Sold For","Sale Date"\n'
    ",,,,,,,,,\n"
    + "".join(
        f'"{n}","10-{n}","tea_{n}","a{n}@b.co","40011","Mug, blue","M-1","{n}","$10.00","Mar-{20 + n}-26"\n'
        for n in range(1, 9)
    )
    + ",,,,,,,,,\n8,record(s) downloaded,from Mar-01-26 to Mar-31-26,,,,,,,\nSeller ID : tea,,,,,,,,,\n"
)
TAOBAO = "订单编号,标题,价格,购买数量,外部系统编号,套餐信息,订单状态,商家编码,订单创建时间\n" + "".join(
    f'"=""70{n}""",杯子,10.00,{n},,,交易成功,M-1,2026-03-0{n} 12:00:00\n' for n in range(1, 9)
)
GERMAN = "Bestellnummer;Bestelldatum;Artikelnummer;Größe;Menge;Einzelpreis;Kundennummer\n" + "".join(
    f"A{n};{20 + n}.03.2026;M-1;groß;1.00{n};1.234,50;K{n}\n" for n in range(1, 9)
)
AMAZON = "amazon-order-id\tpurchase-date\torder-status\tproduct-name\tsku\tquantity\tcurrency\titem-price\n" + "".join(
    f"302-{n}\t2026-03-0{n}T12:00:00+00:00\tShipped\tMug\tM-1\t{n}\tEUR\t10.00\n" for n in range(1, 9)
)
FILES = {
    "ebay.csv": (EBAY, "utf-8", "ebay", [(date(2026, 3, 20 + n), "M-1", float(n), 9.0 * n) for n in range(1, 9)]),
    "taobao.csv": (TAOBAO, "gbk", "taobao", [(date(2026, 3, n), "M-1", float(n), 1.3 * n) for n in range(1, 9)]),
    "shop.csv": (
        GERMAN,
        "latin-1",
        "table",
        [(date(2026, 3, 20 + n), "M-1", 1000.0 + n, 1234.5 * (1000 + n)) for n in range(1, 9)],
    ),
    "amazon.txt": (AMAZON, "utf-8", "amazon", [(date(2026, 3, n), "M-1", float(n), 10.0) for n in range(1, 9)]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_becomes_records_without_a_word_by_hand(tmp_path, shop, facts, name):
    text, encoding, format_, expected = FILES[name]
    (tmp_path / name).write_bytes(text.encode(encoding))
    (seen,) = look(name, tmp_path)
    settings = propose(seen, name="orders").settings
    assert settings.format == format_
    settings = SourceSettings.model_validate(settings.model_dump())  # as written to shop.toml and read again
    converter = Converter(settings, shop)
    parts = [converter.convert(batch) for batch in open_source(settings, tmp_path).batches()]
    converted = merge((*parts, converter.finish()))
    found = facts(converted, "sales", "day", "product", "quantity", "amount")
    assert [each[:3] for each in found] == [each[:3] for each in expected]
    assert [each[3] for each in found] == pytest.approx([each[3] for each in expected])
    assert not any(each.is_fault for each in converted.left_out)
