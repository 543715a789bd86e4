"""Columns that say who somebody is: recognised, never shown, never converted but for what tells customers apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from client.shop.export.description import header_key
from client.shop.export.text import EMAIL, MASKED_EMAIL

Personal = Literal["", "e-mail", "telephone", "name", "address", "user name", "account", "note"]

_PATTERNS: tuple[tuple[Personal, str], ...] = (
    ("note", r"\bnotes?\b|\bremarks?\b|\bcomments?\b|\bmemo\b|\bmessage\b|notiz|bemerkung|anmerkung|nachricht|hinweis|"
             r"kommentar|备注|留言|附言|说明"),
    ("e-mail", r"\be ?mail|\bmail\b|邮箱|电子邮件|邮件"),
    ("telephone", r"phone|\btel\b|\bmobile\b|\bcell\b|\bfax\b|telefon|handy|mobilnummer|rufnummer|"
                  r"电话|手机|联系方式|传真"),
    ("account", r"alipay|支付宝|\biban\b|\bbic\b|\bpaypal\b|\bip\b|ip address|user agent|tax id|\bvat\b (?:id|number)|"
                r"ust id|steuernummer|身份证|税号|发票抬头|password|birth|geburt|生日"),
    ("user name", r"user ?name|\buser id\b|\bnick|buyer username|nutzername|mitgliedsname|benutzername|会员名|昵称|"
                  r"旺旺|下单[帐账]号|用户名|买家账号"),
    ("address", r"address|\bstreet\b|\bcity\b|\btown\b|\bzip\b|post ?code|postal|\bprovince\b|\bcounty\b|"
                r"\bstate code\b|(?:billing|shipping|ship|bill|buyer|recipient|customer|delivery) (?:to )?"
                r"(?:state|country|region|company)|"
                r"adresse|straße|strasse|\bort\b|\bplz\b|postleitzahl|hausnummer|stadt\b|wohnort|bundesland|"
                r"地址|街道|邮编|邮政编码|收货省|收货市|收货区|省份|城市|区县"),
    ("name", r"(?:first|last|full|family|given|middle|billing|shipping|buyer|customer|client|recipient|contact|ship to|"
             r"bill to|post to|company|sur|fore) ?names?\b|\bname \((?:billing|shipping)|names? \((?:billing|shipping)|"
             r"buyer fullname|\bcustomer\b$|\brecipient\b|\bbuyer\b$|vorname|nachname|kundenname|empfänger|"
             r"familienname|name des käufers|käufername|besteller|ansprechpartner|^kunde$|"
             r"^客户$|^顾客$|^买家$|姓名|收货人|收件人|联系人|买家姓名|客户名称"),
)  # fmt: skip
_COMPILED = tuple((personal, re.compile(pattern)) for personal, pattern in _PATTERNS)
_IS_EMAIL = re.compile(EMAIL)
_IS_PHONE = re.compile(r"(?:\+|00)[0-9][0-9 ()/\-]{6,}[0-9]|1[3-9][0-9]{9}|0[0-9]{2,5}[ /\-][0-9 ]{4,}[0-9]")
_MAY_BE_NUMBERS = ("customer", "buyer", "recipient", "kunde", "客户", "顾客", "买家")  # of customers, or their names
SHARE = 0.5  # of the values that look so makes it so, whatever the header says
LONGEST_SAMPLE, NUM_SHOWN = 40, 3


def tell_personal(header: str, values: Sequence[str]) -> Personal:
    """Tell what kind of personal a column is; "" where it is none."""
    filled = [value for value in values if value][:200]
    if filled and sum(bool(_IS_EMAIL.fullmatch(value.strip())) for value in filled) > SHARE * len(filled):
        return "e-mail"
    key = header_key(header)
    named: Personal = next((personal for personal, pattern in _COMPILED if pattern.search(key)), "")
    if named == "name" and key in _MAY_BE_NUMBERS and _have_digits(filled):
        return ""
    if named:
        return named
    if filled and sum(bool(_IS_PHONE.fullmatch(value.strip())) for value in filled) > SHARE * len(filled):
        return "telephone"
    return ""


def _have_digits(values: Sequence[str]) -> bool:
    return sum(any(letter.isdigit() for letter in value) for value in values) > SHARE * len(values)


def show_samples(header: str, values: Sequence[str], *, hide: str = "") -> tuple[str, ...]:
    """Show a few values of a column; of a personal one what it is and no value.

    Parameters
    ----------
    hide
        What stands in the values' place, where the column is known to be personal by what it is used for.
    """
    personal = hide or tell_personal(header, values)
    if personal:
        return (f"‹{personal}›",)
    shown = dict.fromkeys(
        _IS_EMAIL.sub(MASKED_EMAIL, value.strip())[:LONGEST_SAMPLE] for value in values if value.strip()
    )
    return tuple(shown)[:NUM_SHOWN]
