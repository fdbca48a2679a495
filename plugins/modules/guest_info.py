#!/usr/bin/python
# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: guest_info
short_description: Read, on a Linux guest, what a redeploy must not make worse
version_added: 1.0.0
description:
  - B(Internal to the roles of this collection); its options and return values may change without notice.
  - Reads the boot id, failed units, named services, named ports and the temporary disk in one execution, so that a rolling run can compare before
    and after.
  - Python 3.9 and its standard library are all it needs.
options:
  services:
    description: Services to tell the state of.
    type: list
    elements: str
    default: []
  ports:
    description: TCP ports to tell whether something listens on them.
    type: list
    elements: int
    default: []
  address:
    description: Local address of those ports. A listener on all addresses counts as well.
    type: str
    default: 127.0.0.1
  addresses:
    description: Addresses, or names of them, to tell which are not the guest's own.
    type: list
    elements: str
    default: []
  temp_disk:
    description:
      - Mount point of the temporary disk; without it no temporary disk is looked at. One that is mounted elsewhere is found there, and so are local NVMe disks.
    type: str
    default: ""
attributes:
  check_mode:
    support: full
    details: Only reads.
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - fleetops.azure_maintenance.attributes.guest
seealso:
  - module: fleetops.azure_maintenance.maintenance_mark
author:
  - fleetops contributors (@fleetops)
"""

EXAMPLES = r"""
- name: What is on the temporary disk, and does nginx run
  fleetops.azure_maintenance.guest_info:
    services: [nginx]
    ports: [80]
    temp_disk: /mnt
  become: true
  register: guest
"""

RETURN = r"""
boot_id:
  description: Changes with every boot.
  returned: success
  type: str
  sample: 1d3f4b0e-6a0c-4c1e-9d43-6a6f9f0e6a10
failed_units:
  description: Units of systemd that have failed; empty where another service manager runs.
  returned: success
  type: list
  elements: str
  sample: [logrotate.service]
service_manager:
  description: What to give M(ansible.builtin.service) as C(use), so that it need not find out itself.
  returned: success
  type: str
  sample: systemd
services:
  description: State by service, C(running), C(stopped) or C(missing). A unit on its way up or down counts as running.
  returned: success
  type: dict
  sample: {nginx: running}
listening:
  description: Those of O(ports) on which something listens.
  returned: success
  type: list
  elements: int
  sample: [80]
foreign:
  description: Those of O(addresses) that are no address of this guest's, or mean nothing to it. No connection to it can be seen at them.
  returned: success
  type: list
  elements: str
  sample: [20.50.1.2]
mounts:
  description: Mount points.
  returned: success
  type: list
  elements: str
  sample: [/, /mnt]
temp_disk:
  description:
    - The temporary disks, or null without O(temp_disk). A host may have several, such as a SCSI disk and local NVMe disks.
    - The path, device and certainty are those of one of them, one that is in use if any is; RV(temp_disk.disks) has all.
  returned: success
  type: dict
  sample:
    mount: /mnt
    device: /dev/sdb1
    mounted: true
    certain: true
    in_use: true
    files: [/mnt/cache/a]
    bytes: 4096
    count: 1
    disks: [{mount: /mnt, device: /dev/sdb1, certain: true, local: false, in_use: true, files: [/mnt/cache/a], bytes: 4096, count: 1}]
  contains:
    mount:
      description: Where it is mounted; where it was looked for, if it is nowhere.
      type: str
      returned: always
      sample: /mnt
    device:
      description: What is mounted there, or null.
      type: str
      returned: always
      sample: /dev/sdb1
    mounted:
      description: Whether a temporary disk is mounted. False when Azure's udev links name another disk than what is mounted.
      type: bool
      returned: always
      sample: true
    certain:
      description: Whether Azure's udev links or the disk's model name it, or the vendor's warning lies on it. Otherwise it is only taken for one.
      type: bool
      returned: always
      sample: true
    in_use:
      description: Whether one of them holds anything besides swap, the vendor's warning and empty folders, or is in use without being mounted.
      type: bool
      returned: always
      sample: true
    files:
      description: The first of those files.
      type: list
      elements: str
      returned: always
      sample: [/mnt/cache/a]
    bytes:
      description: Bytes of those files.
      type: int
      returned: always
      sample: 4096
    count:
      description: How many there are; counting ends at 20000 for each disk.
      type: int
      returned: always
      sample: 1
    disks:
      description: Each place where a temporary disk is mounted, and each device on one that is in use without being mounted.
      type: list
      elements: dict
      returned: always
      sample: [{mount: /data, device: /dev/nvme1n1, certain: true, local: true, in_use: true, files: [/data/orders.db], bytes: 65536, count: 1}]
      contains:
        mount:
          description: Where it is mounted, or null for a device that is in use otherwise, such as by ZFS or as a raw volume.
          type: str
          returned: always
          sample: /data
        device:
          description: What is mounted there, or in use.
          type: str
          returned: always
          sample: /dev/nvme1n1
        certain:
          description: As above, for this one.
          type: bool
          returned: always
          sample: true
        local:
          description: Whether it lies on a local NVMe disk, which Azure returns without a file system.
          type: bool
          returned: always
          sample: true
        in_use:
          description: As above, for this one.
          type: bool
          returned: always
          sample: true
        files:
          description: The first of its files.
          type: list
          elements: str
          returned: always
          sample: [/data/orders.db]
        bytes:
          description: Bytes of its files.
          type: int
          returned: always
          sample: 65536
        count:
          description: How many files it holds.
          type: int
          returned: always
          sample: 1
"""

from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest import state
from ansible_collections.fleetops.azure_maintenance.plugins.module_utils._guest.module import run


def read(module):
    """Everything asked for, in one look."""
    options = module.params
    mounts = state.mounts()
    return {
        "changed": False,
        "boot_id": state.boot_id(),
        "failed_units": state.failed_units(module.run_command),
        "service_manager": state.service_manager(),
        "services": state.service_states(options["services"], module.run_command),
        "listening": state.listening(options["address"], options["ports"]) if options["ports"] else [],
        "foreign": state.foreign(options["addresses"]),
        "mounts": sorted(mounts),
        "temp_disk": state.temporary_disk(options["temp_disk"], mounts) if options["temp_disk"] else None,
    }


def main():
    run({"services": {"type": "list", "elements": "str", "default": []}, "ports": {"type": "list", "elements": "int", "default": []},
         "address": {"type": "str", "default": "127.0.0.1"}, "addresses": {"type": "list", "elements": "str", "default": []},
         "temp_disk": {"type": "str", "default": ""}}, read)


if __name__ == "__main__":
    main()
