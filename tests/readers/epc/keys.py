"""Keys of every scheme, drawn by the kind of each field: what may stand there, written down a second time."""

from string import ascii_letters, ascii_uppercase, digits

from hypothesis import strategies as st

from readers.epc import Key, check_digit

ALPHANUMERIC = digits + ascii_letters + "!\"%&'()*+,-./:;<=>?_"
COMPONENT = digits + ascii_uppercase + "#-/"
CAGE = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
TEXT_OF_ENCODING = {
    "0": digits,
    "1": digits + "ABCDEF",
    "2": digits + "abcdef",
    "3": digits + ascii_letters + "-_",
    "4": ALPHANUMERIC,
    "5": digits + ascii_uppercase + "-.:",
}


def number(bits, most_digits=99):
    return st.integers(0, min(2**bits, 10**most_digits) - 1).map(str)


def numeral(least, most):
    return st.text(digits, min_size=least, max_size=most)


def text(least, most, alphabet=ALPHANUMERIC):
    return st.text(alphabet, min_size=least, max_size=most)


def checked(count, lead=""):
    body = numeral(count - 1 - len(lead), count - 1 - len(lead)).map(lambda drawn: lead + drawn)
    return body.map(lambda drawn: drawn + check_digit(drawn))


def packed(most):
    return st.sampled_from(sorted(TEXT_OF_ENCODING)).flatmap(
        lambda encoding: st.tuples(text(1, most, TEXT_OF_ENCODING[encoding]), st.just(encoding))
    )


def reference(alphabet):
    """Digits, then nothing, or a rest that does not begin with one."""
    tail = st.text(alphabet, min_size=1, max_size=10).filter(lambda drawn: drawn[0] not in digits)
    encodings = {encoding: TEXT_OF_ENCODING[encoding] for encoding in "12345"}
    able = tail.flatmap(
        lambda drawn: st.tuples(
            st.just(drawn),
            st.sampled_from([e for e, chars in encodings.items() if set(drawn) <= set(chars)] or ["4"]),
        )
    )
    return st.tuples(numeral(5, 20), st.one_of(st.just(("", "")), able)).map(
        lambda drawn: (drawn[0] + drawn[1][0], drawn[1][1])
    )


def prefixed(total, second):
    """Company prefix, and what `second` makes of the digits it leaves."""
    return st.integers(6, 12).flatmap(lambda size: st.tuples(numeral(size, size), second(total - size, size)))


def padded(total):
    return prefixed(total, lambda left, _: numeral(left, left))


def fields_of(*parts):
    """Strategies of single fields and of tuples of them, one after the other."""
    return st.tuples(*parts).map(
        lambda drawn: tuple(field for part in drawn for field in ((part,) if isinstance(part, str) else part))
    )


DATE = st.tuples(
    st.sampled_from(["11", "13", "15", "16", "17", "7006", "7007"]),
    st.builds("{:02d}{:02d}{:02d}".format, st.integers(0, 99), st.integers(1, 12), st.integers(0, 29)),
)
GIAI_BITS = {6: 62, 7: 58, 8: 55, 9: 52, 10: 48, 11: 45, 12: 42}
PIECE = numeral(2, 2)
FIELDS = {
    "sgtin-96": fields_of(padded(13), number(38)),
    "sgtin-198": fields_of(padded(13), text(1, 20)),
    "sgtin+": fields_of(checked(14), packed(20)),
    "dsgtin+": fields_of(DATE, checked(14), packed(20)),
    "sscc-96": fields_of(padded(17)),
    "sscc+": fields_of(checked(18)),
    "sgln-96": fields_of(padded(12), number(41)),
    "sgln-195": fields_of(padded(12), text(1, 20)),
    "sgln+": fields_of(checked(13), packed(20)),
    "grai-96": fields_of(padded(12), number(38)),
    "grai-170": fields_of(padded(12), text(1, 16)),
    "grai+": fields_of(checked(14, "0"), packed(16)),
    "giai-96": fields_of(prefixed(25, lambda left, size: number(GIAI_BITS[size]))),
    "giai-202": fields_of(prefixed(30, lambda left, _: text(1, left))),
    "giai+": fields_of(reference(ALPHANUMERIC)),
    "gsrn-96": fields_of(padded(17)),
    "gsrn+": fields_of(checked(18)),
    "gsrnp-96": fields_of(padded(17)),
    "gsrnp+": fields_of(checked(18)),
    "gdti-96": fields_of(padded(12), number(41)),
    "gdti-113": fields_of(padded(12), numeral(1, 17)),
    "gdti-174": fields_of(padded(12), text(1, 17)),
    "gdti+": fields_of(checked(13), packed(17)),
    "sgcn-96": fields_of(padded(12), numeral(1, 12)),
    "sgcn+": fields_of(checked(13), numeral(1, 12)),
    "cpi-96": fields_of(prefixed(15, lambda left, _: number(64, left)), number(31)),
    "cpi-var": fields_of(prefixed(30, lambda left, _: text(1, left, COMPONENT)), number(40, 12)),
    "cpi+": fields_of(reference(COMPONENT), numeral(1, 12)),
    "itip-110": fields_of(padded(13), PIECE, PIECE, number(38)),
    "itip-212": fields_of(padded(13), PIECE, PIECE, text(1, 20)),
    "itip+": fields_of(checked(14), PIECE, PIECE, packed(20)),
    "gid-96": fields_of(number(28), number(24), number(36)),
    "adi-var": fields_of(
        text(5, 6, CAGE),
        text(0, 32, COMPONENT.replace("#", "")),
        st.builds(str.__add__, st.sampled_from(["", "#"]), text(1, 29, COMPONENT.replace("#", ""))),
    ),
}


def keys(scheme):
    """Valid keys of a scheme."""
    highest = {"gid-96": None, "adi-var": 63}.get(scheme, 7)
    filters = st.none() if highest is None else st.integers(0, highest)
    if not scheme.endswith("+"):
        return st.builds(Key, st.just(scheme), FIELDS[scheme], filters)
    more = st.one_of(st.just((0, "")), st.tuples(st.just(1), st.text("01", max_size=40)))
    return st.builds(lambda fields, value, more: Key(scheme, fields, value, *more), FIELDS[scheme], filters, more)


ANY_KEY = st.sampled_from(sorted(FIELDS)).flatmap(keys)
