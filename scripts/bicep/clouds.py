"""The clouds that a template may be deployed to."""

from collections.abc import Mapping

from scripts.bicep.values import Value

# What `environment()` gives in each cloud, as far as a template of ours may ask.
CLOUDS: Mapping[str, Value] = {
    name: {
        "name": name,
        "authentication": {"loginEndpoint": login, "audiences": [manager]},
        "resourceManager": manager,
        "suffixes": {"storage": storage, "keyvaultDns": vault},
    }
    for name, login, manager, storage, vault in (
        (
            "AzureCloud",
            "https://login.microsoftonline.com/",
            "https://management.azure.com/",
            "core.windows.net",
            ".vault.azure.net",
        ),
        (
            "AzureUSGovernment",
            "https://login.microsoftonline.us/",
            "https://management.usgovcloudapi.net/",
            "core.usgovcloudapi.net",
            ".vault.usgovcloudapi.net",
        ),
        (
            "AzureChinaCloud",
            "https://login.chinacloudapi.cn/",
            "https://management.chinacloudapi.cn/",
            "core.chinacloudapi.cn",
            ".vault.azure.cn",
        ),
    )
}
