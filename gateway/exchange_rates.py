"""Units of each currency per US dollar, for limits alone: no money is converted by them.

`TREASURY` is the table of the *Treasury Reporting Rates of Exchange* of 31 December 2025, which the US
Treasury publishes each quarter (fiscaldata.treasury.gov), with its amendments of January and February 2026
(IRR, LYD, VES, ZMW). It was taken from a public copy. The European Central Bank has
a reference rate for 27 of these currencies: 26 lie within 0.4 % of its rate of that day, CZK within 2.6 %.
"""

from collections.abc import Mapping
from decimal import Decimal


def _table(text: str) -> dict[str, Decimal]:
    entries = (entry.split() for entry in text.strip().replace("\n", "|").split("|"))
    return {currency: Decimal(rate) for currency, rate in entries}


TREASURY: Mapping[str, Decimal] = _table(
    """
    AED 3.672|AFN 65.96|ALL 81.85|AMD 380|AOA 912.286|ARS 1480|AUD 1.495|AZN 1.7|BAM 1.664|BBD 2.02
    BDT 123|BHD 0.377|BIF 3000|BMD 1|BND 1.285|BOB 6.85|BRL 5.477|BSD 1|BWP 12.136|BZD 2|CAD 1.369
    CDF 2215|CHF 0.792|CLP 900.35|CNY 6.998|COP 3773.62|CRC 493.36|CUP 24|CVE 93.81|CZK 20.101|DJF 177
    DKK 6.355|DOP 62.76|DZD 128.921|EGP 47.6|ERN 15|ETB 154.664|EUR 0.851|FJD 2.23|GBP 0.743|GEL 2.665
    GHS 10.4|GMD 72|GNF 8717|GTQ 7.66|GYD 215|HKD 7.784|HNL 26.326|HTG 130.55|HUF 327.22|IDR 16649.99
    ILS 3.191|INR 89.854|IQD 1309.5|IRR 1068906|ISK 125.11|JMD 159|JOD 0.708|JPY 156.61|KES 128.9|KGS 87.412
    KHR 4001|KMF 418.24|KRW 1443.75|KWD 0.308|KYD 0.82|KZT 506.28|LAK 21503|LBP 89500|LKR 309.4|LRD 177
    LSL 16.546|LYD 6.29|MAD 9.101|MDL 16.69|MGA 4470|MKD 52.16|MMK 3658|MNT 3557|MRU 39.799|MUR 46.1
    MVR 15.42|MWK 1751|MXN 17.956|MYR 4.056|MZN 63.27|NAD 16.546|NGN 1450|NIO 36.6|NOK 10.072
    NPR 143.79|NZD 1.733|OMR 0.385|PAB 1|PEN 3.362|PGK 4.124|PHP 58.911|PKR 279.8|PLN 3.59|PYG 6554.61
    QAR 3.64|RON 4.334|RSD 99.71|RUB 81.996|RWF 1450|SAR 3.75|SBD 7.905|SCR 13.813|SDG 2400|SEK 9.197
    SGD 1.285|SLE 23.7|SOS 567|SRD 37.807|SSP 4600|STN 20.842|SZL 16.546|THB 31.66|TJS 9.2|TMT 3.491
    TND 2.867|TOP 2.354|TRY 42.951|TTD 6.768|TWD 31.324|TZS 2440|UAH 42.195|UGX 3615|UYU 39.14
    UZS 11999.41|VES 338.302|VND 26295|VUV 119.13|WST 2.708|XAF 556.44|XCD 2.7|XCG 1.78|XOF 553.75
    YER 528|ZAR 16.546|ZMW 18.15|ZWG 25.071
    """
)

_AT_PAR = {"BTN": "INR", "FKP": "GBP", "GIP": "GBP", "SHP": "GBP", "VED": "VES"}
"""Not in the table, and worth as much as another that is, by law."""
_PEGGED = _table("AWG 1.79|MOP 8.02|SVC 8.75|XPF 101.55")
"""Not in the table: kept by law at 1.79 and 8.75 to the dollar, 1.03 to HKD, and 1000 to 8.38 euros."""
_BY_HAND = _table("BYN 2.9|KPW 900|SYP 11000")
"""In no official table that was at hand: round figures. (Syria's new pound, of which the Treasury's table has
110 to the dollar, is a hundred of these.)"""

PER_DOLLAR: Mapping[str, Decimal] = {
    **TREASURY,
    **{currency: TREASURY[other] for currency, other in _AT_PAR.items()},
    **_PEGGED,
    **_BY_HAND,
}
"""All of them. Not here are ISO 4217's units of account (`CLF`, `USN`), in which nobody pays."""
