"""Reads our own Bicep, so that infra/ can be held against the app where no Bicep binary is.

No compiler and no checker: it reads what `az deployment` would create, as far as that can be known
without Azure. Mistakes in the language itself are bicep_check's and `bicep build`'s to find; what
this reader does not understand it refuses, never passes over.
"""

from scripts.bicep.clouds import CLOUDS
from scripts.bicep.evaluate import Deployment, deploy, variable
from scripts.bicep.syntax import NotUnderstood
from scripts.bicep.values import Either, Ref, Resource, Unknown, Value, shown

__all__ = [
    "CLOUDS",
    "Deployment",
    "Either",
    "NotUnderstood",
    "Ref",
    "Resource",
    "Unknown",
    "Value",
    "deploy",
    "shown",
    "variable",
]
