# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JMESPath over records: the one way users select VMs in this collection."""

from __future__ import annotations

import typing as t

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils.errors import OptionsError

try:
    import jmespath
except ImportError:  # module.py names it before anything here is used
    jmespath = None

Record = t.Mapping[str, t.Any]


def compile_query(expression: str, option: str) -> t.Callable[[Record], t.Any]:
    """A function from a record to the expression's value. Raises OptionsError naming the option when it does not parse."""
    try:
        compiled = jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as error:
        raise OptionsError(f"{option} {expression!r} is not a JMESPath expression: {' '.join(str(error).split())}") from error

    def search(record: Record) -> t.Any:
        try:
            return compiled.search(record)
        except jmespath.exceptions.JMESPathError as error:
            raise OptionsError(f"{option} {expression!r} fails on {record.get('name')}: {' '.join(str(error).split())}") from error

    return search
