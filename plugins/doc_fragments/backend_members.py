# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which members of backend pools are meant: those of one VM."""

from __future__ import annotations


class ModuleDocFragment:

    DOCUMENTATION = r"""
options:
  vm:
    description: ARM id of the VM, or of an instance of a uniform scale set.
    type: str
  addresses:
    description:
      - Private addresses of the VM, instead of O(vm). Only pools of addresses show them.
      - Without O(vm) its virtual network is not known. An address in pools of several virtual networks is refused, unless O(pools) names those meant.
    type: list
    elements: str
  pools:
    description:
      - Ids of the backend pools. Without it and O(load_balancers), the pools are found. They are those that the VM's network interfaces name, and those of
        load balancers in its subscription that hold one of its addresses.
      - An address counts in the virtual network that the pool's member names. Otherwise in that of its subnet, of the pool, or of the pool's other members.
      - In a pool that names no virtual network, an address that another network interface of the subscription also has is refused, unless the pool is
        named here.
    type: list
    elements: str
    default: []
  load_balancers:
    description: Load balancers, by id or by name in the subscription. All their pools that hold the VM are meant.
    type: list
    elements: str
    default: []
"""
