# SPDX-License-Identifier: GPL-2.0-or-later
"""The types that programs are compiled against, as the kernel's BTF has them."""

import pytest

from reclaimd.kernel.btf import KERNEL_BTF, Btf

MEMCG = "struct mem_cgroup *"
SIGNED = {"int", "long int", "s64", "s32", "ssize_t"}

#: Every hook with its arguments and its result, in the order of the members.
HOOKS = {
    "handle_cgroup_online": ((MEMCG,), "void"),
    "handle_cgroup_offline": ((MEMCG,), "void"),
    "below_low": ((MEMCG, "long unsigned int", "long unsigned int"), "bool"),
    "below_min": ((MEMCG, "long unsigned int", "long unsigned int"), "bool"),
    "memcg_charged": ((MEMCG, "unsigned int"), "unsigned int"),
    "memcg_uncharged": ((MEMCG, "unsigned int"), "void"),
    "refuse_charge": ((MEMCG, "unsigned int"), "bool"),
}


@pytest.fixture(scope="module")
def btf() -> Btf:
    return Btf.parse(KERNEL_BTF)


def test_memcg_bpf_ops_has_the_six_hooks_in_order_and_then_one_of_our_own(btf: Btf) -> None:
    ops = btf.struct("memcg_bpf_ops")
    assert ops
    assert [member.name for member in ops.members] == list(HOOKS)
    assert list(HOOKS).index("refuse_charge") == 6


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_has_its_arguments_and_result(btf: Btf, hook: str) -> None:
    ops = btf.struct("memcg_bpf_ops")
    assert ops
    member = ops.member(hook)
    assert member
    function = btf.function_pointer(member)
    assert function
    assert (function.parameters, function.returns) == HOOKS[hook]


def test_reclaim_kfunc_takes_what_programs_pass(btf: Btf) -> None:
    kfunc = btf.function("bpf_try_to_free_mem_cgroup_pages")
    assert kfunc
    assert kfunc.parameters == (MEMCG, "long unsigned int", "gfp_t", "unsigned int", "int")


def test_reclaim_kfunc_returns_a_signed_type(btf: Btf) -> None:
    kfunc = btf.function("bpf_try_to_free_mem_cgroup_pages")
    assert kfunc
    assert kfunc.returns in SIGNED
