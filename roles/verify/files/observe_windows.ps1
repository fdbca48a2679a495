# Copyright (c) 2026 fleetops contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# What a Windows guest is like now, read in one go and changing nothing: when it booted, which automatic services do not run, whether a drive
# is there, which of some services run, which of some ports are listened on. For ansible.windows.win_powershell under Windows PowerShell 5.1; the
# answer is $Ansible.Result.

param(
    # "D:", or empty.
    [string]$Drive = '',
    # Names of services, and ports of a local address.
    [string[]]$Services = @(),
    [int[]]$Ports = @(),
    [string]$Address = '',
    # Services that did not run before either, and seconds to wait for others that do not run yet.
    [string[]]$Known = @(),
    [int]$Patience = 0
)

$Ansible.Changed = $false

# Automatic services that do not run. One that may start later than at boot (delayed, or by a trigger) counts only if it ended with an error: 0 is a
# clean end, 1077 says that nobody has started it since the boot. Services of a signed-in user (type 0x40) have another name at every sign-in.
function Get-StoppedService {
    foreach ($service in Get-CimInstance -ClassName Win32_Service -Filter "StartMode = 'Auto' AND State <> 'Running'") {
        $path = "HKLM:\SYSTEM\CurrentControlSet\Services\$($service.Name)"
        $key = Get-Item -LiteralPath $path -ErrorAction Ignore
        $type = if ($key) { $key.GetValue('Type', 0) } else { 0 }
        $delayed = $key -and $key.GetValue('DelayedAutostart', 0) -eq 1
        $later = $delayed -or (Test-Path -LiteralPath "$path\TriggerInfo")
        if (-not ($type -band 0x40) -and ($service.ExitCode -notin 0, 1077 -or -not $later)) {
            $service.Name
        }
    }
}

$clock = [System.Diagnostics.Stopwatch]::StartNew()
while ($true) {
    $stopped = @(Get-StoppedService)
    $more = @($stopped | Where-Object { $_ -notin $Known })
    if ($more.Count -eq 0 -or $clock.Elapsed.TotalSeconds -ge $Patience) { break }
    Start-Sleep -Seconds 2
}

# As a time in UTC, not as a time span: a span is another one every time it is read.
$boot = (Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToUniversalTime()
$all = @(Get-CimInstance -ClassName Win32_Service)
$names = @($all | ForEach-Object { $_.Name })
$running = @($all | Where-Object { $_.State -eq 'Running' } | ForEach-Object { $_.Name })
$listeners = [System.Net.NetworkInformation.IPGlobalProperties]::GetIPGlobalProperties().GetActiveTcpListeners()
$open = @($listeners | Where-Object { "$($_.Address)" -in '0.0.0.0', '::', $Address } | ForEach-Object { $_.Port })

$Ansible.Result = @{
    boot = $boot.ToString('yyyy-MM-ddTHH:mm:ssZ', [System.Globalization.CultureInfo]::InvariantCulture)
    stopped = $stopped
    drive = $Drive -ne '' -and (Test-Path -LiteralPath "$Drive\")
    running = @($Services | Where-Object { $_ -in $running })
    missing = @($Services | Where-Object { $_ -notin $names })
    listening = @($Ports | Where-Object { $_ -in $open })
}
