# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which VMs are asked for: the options that every reader of a fleet has in common. Checked before anything is read."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._azure.query import compile_query
from .._errors import OptionsError

_GROUP_NAME = re.compile(r"[-\w.()]+")
"""What the name of a resource group may be, by Azure's rule."""
SECOND_OPINIONS = ("none", "resource_graph", "service_health")


@dataclass(frozen=True)
class Selection:
    """Empty ``subscriptions`` mean the one of the sign-in options, else all that the identity can see.

    ``complete`` false: what cannot be read is left out by name instead of failing all. Without ``addresses`` the lists of
    network interfaces and public IPs are not read. With ``trust_status_list`` a VM that the status list shows without a
    maintenance block is under no announced maintenance, even while that list shows none at all. ``thorough``: the guest agent and extensions of every VM are
    known, also where the status list leaves them out; else only of VMs under announced maintenance and of their sets. Raises OptionsError when the query
    does not parse.
    """

    subscriptions: t.Sequence[str] = ()
    resource_groups: t.Sequence[str] = ()
    exclude_resource_groups: t.Sequence[str] = ()
    only_affected: bool = False
    query: str | None = None
    addresses: bool = True
    complete: bool = True
    second_opinion: str = "none"
    trust_status_list: bool = False
    thorough: bool = False
    matches: t.Callable[[t.Mapping[str, t.Any]], t.Any] | None = field(init=False, default=None, compare=False)
    """The query as a function of a record, None without one."""

    def __post_init__(self) -> None:
        if self.second_opinion not in SECOND_OPINIONS:
            raise OptionsError(f"second_opinion {self.second_opinion!r} is unknown; use one of {', '.join(SECOND_OPINIONS)}")
        for option, all_of_them in (("resource_groups", "leave it out to read all groups"), ("exclude_resource_groups", "write the names out")):
            others = [str(name) for name in getattr(self, option) if not _GROUP_NAME.fullmatch(str(name))]
            if others:
                raise OptionsError(f"{option}: {', '.join(map(repr, others))} cannot be the name of a resource group, and patterns are not understood; "
                                   f"{all_of_them}, or choose by query, such as starts_with(resource_group, 'app')")
        both = {name.lower() for name in self.resource_groups} & {name.lower() for name in self.exclude_resource_groups}
        if both:
            raise OptionsError(f"resource group {', '.join(sorted(both))} is both asked for and excluded")
        if self.query:
            object.__setattr__(self, "matches", compile_query(self.query, "query"))

    @classmethod
    def from_options(cls, options: t.Mapping[str, t.Any]) -> "Selection":
        """From module parameters or plugin options of the same names; None is the default. Raises OptionsError."""
        names = [name for name, about in cls.__dataclass_fields__.items() if about.init]
        return cls(**{name: options[name] for name in names if options.get(name) is not None})

    def wants_group(self) -> t.Callable[[str], bool]:
        """Whether VMs of a resource group (lower-case) are asked for, as a function."""
        only, never = ({name.lower() for name in names} for names in (self.resource_groups, self.exclude_resource_groups))
        return lambda group: (not only or group in only) and group not in never
