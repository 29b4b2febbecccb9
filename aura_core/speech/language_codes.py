"""Codes of languages (ISO 639-1), as settings and actions name them."""

from __future__ import annotations

CODES = frozenset(
    """
    aa ab af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cv cy da de dv dz
    ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi hr ht hu hy ia id ig ii is
    it iu ja jv ka kg ki kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml
    mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw
    sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty
    ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
    """.split()  # noqa: SIM905
)


def code_of(name: str) -> str:
    """The code of a language that is named with or without its region; "" where it is none.

    >>> code_of("zh"), code_of("en-US"), code_of("zh_CN"), code_of("klingon")
    ('zh', 'en', 'zh', '')
    """
    code = name.strip().lower().replace("_", "-").partition("-")[0]
    return code if code in CODES else ""
