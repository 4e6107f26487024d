# SPDX-License-Identifier: GPL-2.0-or-later
"""Configurations as hypothesis makes them up: most of their values are right, and some are anything."""

from typing import Any

from hypothesis import strategies as st

NUMBERS = st.one_of(
    st.integers(1, 100).map(str),
    st.integers(0, 10**6).map(str),
    st.sampled_from(["0.5", "1.25", "007", "0", "99.999999999", "1" * 20]),
)
SPACES = st.sampled_from(["", " "])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


SIZES = _joined(NUMBERS, SPACES, st.sampled_from(["B", "KiB", "MiB", "GiB", "TiB"] * 4 + ["MB"]))
SHARES = _joined(NUMBERS, SPACES, st.just("%"))
BASES = st.sampled_from([" of memory.max", "  of  memory.high", " of machine", ""] * 6 + [" of swap"])
THRESHOLDS = st.one_of(SIZES, _joined(SHARES, BASES))
DURATIONS = _joined(NUMBERS, SPACES, st.sampled_from(["ms", "s"] * 8 + ["min"]))
RATES = _joined(NUMBERS, st.sampled_from(["/s", " / s", "/ s"] * 6 + ["/min"]))
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=6), st.just([]), st.just({})
)


def _mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 40).flatmap(lambda chance: ODD if chance == 0 else values)


def _windowed(kinds: tuple[str, ...], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bound = st.tuples(st.sampled_from(kinds), values).map(lambda pair: {pair[0]: pair[1]})
    window: st.SearchStrategy[dict[str, str]] = st.one_of(
        st.just({}), DURATIONS.map(lambda text: {"window": text})
    )
    return st.tuples(bound, window).map(lambda pair: {**pair[0], **pair[1]})


CONDITIONS = st.one_of(
    THRESHOLDS,
    THRESHOLDS.map(lambda text: {"usage": text}),
    _windowed(("some", "full"), SHARES).map(lambda value: {"psi": value}),
    RATES.map(lambda text: {"pgfaults": text}),
    RATES.map(lambda text: {"refaults": text}),
    _windowed(("anon", "file"), RATES).map(lambda value: {"refaults": value}),
    _windowed(("high", "max", "oom"), st.integers(0, 3)).map(lambda value: {"events": value}),
    st.one_of(SIZES, SHARES).map(lambda text: {"swap_free": text}),
    SIZES.map(lambda text: {"reclaimed": text}),
    DURATIONS.map(lambda text: {"after": text}),
)
WORDS = st.sampled_from(["any", "all"])


def _lists(items: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.tuples(WORDS, st.lists(items, max_size=4)).map(lambda pair: {pair[0]: pair[1]})


COMBINATIONS = st.one_of(CONDITIONS, _lists(CONDITIONS), _lists(st.one_of(CONDITIONS, _lists(CONDITIONS))))
GLOBS = st.sampled_from(
    ["/a", "/a/*", "/**", "/a b/c", "/a\\x2d*", "/ä/ö", "/a/**/b"] * 4 + ["a", "/a[b]", "/"]
)
MATCHES = st.one_of(
    GLOBS,
    st.lists(GLOBS, max_size=2),
    st.fixed_dictionaries(
        {"include": st.one_of(GLOBS, st.lists(GLOBS, max_size=2))},
        optional={"exclude": st.one_of(GLOBS, st.lists(GLOBS, max_size=2))},
    ),
)
RECLAIM = st.fixed_dictionaries(
    {"start": _mostly(COMBINATIONS)},
    optional={
        "floor": _mostly(THRESHOLDS),
        "pass": _mostly(SIZES),
        "rate": _mostly(_joined(SIZES, st.sampled_from(["/s", " /s", ""]))),
        "cpu": _mostly(SHARES),
        "swappiness": _mostly(st.one_of(st.integers(-1, 201), st.sampled_from(["cgroup", "anon-only"]))),
        "cooldown": _mostly(DURATIONS),
        "backoff": _mostly(st.fixed_dictionaries({}, optional={"from": DURATIONS, "to": DURATIONS})),
    },
)
PROTECT = st.fixed_dictionaries(
    {"as": _mostly(st.sampled_from(["none", "low", "min"])), "while": _mostly(COMBINATIONS)},
    optional={
        "for": _mostly(DURATIONS),
        "throttle": _mostly(
            st.lists(st.fixed_dictionaries({"match": MATCHES, "delay": DURATIONS}), max_size=2)
        ),
    },
)
POLICIES = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "a.b-c_0", "0"] * 5 + ["A"]), "match": _mostly(MATCHES)},
    optional={
        "mode": _mostly(st.sampled_from(["enforce", "monitor"])),
        "reclaim": _mostly(RECLAIM),
        "back_pressure": _mostly(st.fixed_dictionaries({"start": THRESHOLDS, "max_delay": DURATIONS})),
        "protect": _mostly(PROTECT),
    },
)
LISTENS = st.sampled_from(["127.0.0.1:1", "[::1]:19765", "::1:5", "0.0.0.0:0", "[]:1", "1.2.3.4"])
DOCUMENTS = st.fixed_dictionaries(
    {"policies": _mostly(st.lists(POLICIES, max_size=1))},
    optional={
        "metrics": _mostly(
            st.fixed_dictionaries({}, optional={"listen": LISTENS, "max_cgroups": st.integers(-1, 99)})
        ),
        "log": _mostly(
            st.fixed_dictionaries({}, optional={"format": st.sampled_from(["auto", "json", "console", "x"])})
        ),
    },
)
