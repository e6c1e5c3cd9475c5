"""Works out what a deployment makes, module by module, without asking Azure for anything."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from scripts.bicep.clouds import CLOUDS
from scripts.bicep.functions import call, known
from scripts.bicep.syntax import Node, NotUnderstood, parse
from scripts.bicep.values import Either, Ref, Resource, Unknown, Value, shown

Scope = Mapping[str, Value]


@dataclass(slots=True)
class Deployment:
    """All that is made, and what comes out."""

    cloud: str = "AzureCloud"
    resources: list[Resource] = field(default_factory=list)
    outputs: dict[str, Value] = field(default_factory=dict)
    secure: set[str] = field(default_factory=set)

    def of(self, kind: str) -> list[Resource]:
        """Return the resources of a type, without regard to the case."""
        return [each for each in self.resources if each.type.lower() == kind.lower()]


def deploy(file: Path, *, cloud: str = "AzureCloud", **parameters: Value) -> Deployment:
    """Return what deploying *file* makes; parameters that are not given take their defaults,
    and without one stay unknown. A `.bicepparam` file gives its template's parameters."""
    deployment = Deployment(cloud=cloud)
    if file.suffix == ".bicepparam":
        given = _Module(file, {}, deployment)
        (using,) = [each for each in given.statements if each.kind == "using"]
        assigned = {n["name"]: given.name(n["name"]) for n in given.statements if n.kind == "param"}
        template = file.parent / using["path"]
        return deploy(template, cloud=cloud, **{**assigned, **parameters})
    module = _Module(file, parameters, deployment)
    module.run()
    deployment.outputs = module.outputs()
    return deployment


def variable(file: Path, name: str, **parameters: Value) -> Value:
    """Return what a variable of *file* is worth."""
    return _Module(file, parameters, Deployment()).name(name)


@cache
def _statements(text: str) -> tuple[Node, ...]:
    return tuple(parse(text))


class _Module:
    def __init__(
        self, file: Path, parameters: Scope, deployment: Deployment, condition: Value = True
    ) -> None:
        self._file = file
        self._given = parameters
        self._deployment = deployment
        self._condition = condition
        try:
            self.statements = _statements(file.read_text())
        except NotUnderstood as exc:
            raise NotUnderstood(f"{file.name}: {exc}") from None
        self._declared = {
            each["name"]: each
            for each in self.statements
            if each.kind in {"param", "var", "resource", "module", "func"}
        }
        self._nested: dict[str, tuple[Node, Ref]] = {}
        self._imported = {
            name: (each["path"], original)
            for each in self.statements
            if each.kind == "import"
            for name, original in each["names"].items()
        }
        self._worth: dict[str, Value] = {}

    # --- the deployment

    def run(self) -> None:
        """Make every resource and module."""
        for statement in self.statements:
            if statement.kind == "param" and _secure(statement):
                self._deployment.secure.add(f"{self._file.name}: {statement['name']}")
            if statement.kind in {"resource", "module"}:
                self.name(statement["name"])
                if statement.kind == "resource" and not statement["existing"]:
                    self._make(statement["type"], statement["body"], {}, None)

    def outputs(self) -> dict[str, Value]:
        """Return the outputs."""
        found = {}
        for each in self.statements:
            if each.kind == "output":
                if _secure(each):
                    self._deployment.secure.add(f"{self._file.name}: {each['name']}")
                found[each["name"]] = self._value(each["value"], {})
        return found

    def _make(self, kind: str, body: Node, scope: Scope, under: Ref | None) -> None:
        for inner, seen, condition in self._each(body, scope):
            if condition is False or self._condition is False:
                continue
            full = _full_type(kind, under)
            reference = self._reference(full, inner, seen, under)
            values = self._object(inner, seen)
            parent = values.get("parent", values.get("scope", under))
            self._deployment.resources.append(
                Resource(
                    type=full,
                    name=reference.name,
                    body=values,
                    under=parent if isinstance(parent, Ref) else under,
                    condition=condition if condition is not True else self._condition,
                    where=f"{self._file.name}:{inner.line}",
                )
            )
            nested = [each for each in inner["elements"] if each.kind == "resource"]
            # Those beside it may be named without their parent.
            seen = {**seen, **self._beside(nested, seen, reference)}
            for element in nested:
                if not element["existing"]:
                    self._make(element["type"], element["body"], seen, reference)

    def _beside(self, nested: list[Node], scope: Scope, parent: Ref) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for element in nested:
            full = _full_type(element["type"], parent)
            refs = [
                self._reference(full, inner, seen, parent)
                for inner, seen, _ in self._each(element["body"], {**scope, **found})
            ]
            found[element["name"]] = refs if element["body"].kind == "for" else refs[0]
        return found

    def _each(self, body: Node, scope: Scope) -> list[tuple[Node, Scope, Value]]:
        """Return the object of each resource or module of a body, with its names and condition."""
        if body.kind == "for":
            over = self._value(body["over"], scope)
            if not isinstance(over, list):
                over = [Unknown(f"each of {shown(over)}")]
            return [
                found
                for number, item in enumerate(over)
                for found in self._each(body["body"], _with(scope, body, item, number))
            ]
        if body.kind == "if":
            return [(body["body"], scope, self._value(body["test"], scope))]
        return [(body, scope, True)]

    def _reference(self, kind: str, body: Node, scope: Scope, under: Ref | None) -> Ref:
        """Return what names the resource; its body is not worked out for that."""
        props = {p["key"]: p["value"] for p in body["elements"] if p.kind == "property"}
        name = shown(self._value(props["name"], scope)) if "name" in props else ""
        if "parent" in props:
            under = self._value(props["parent"], scope)
        return Ref(_full_type(kind), f"{under.name}/{name}" if isinstance(under, Ref) else name)

    def _declare(self, node: Node) -> Value:
        refs: list[Value] = []
        full = _full_type(node["type"])
        for inner, seen, condition in self._each(node["body"], {}):
            reference = self._reference(full, inner, seen, None)
            refs.append(None if condition is False else reference)
            self._remember_nested(node["name"], inner, reference)
        return refs if node["body"].kind == "for" else refs[0]

    def _remember_nested(self, path: str, body: Node, parent: Ref) -> None:
        for element in body["elements"]:
            if element.kind == "resource":
                inner = f"{path}::{element['name']}"
                self._nested[inner] = (element, parent)
                for nested, seen, _ in self._each(element["body"], {}):
                    full = _full_type(element["type"], parent)
                    self._remember_nested(
                        inner, nested, self._reference(full, nested, seen, parent)
                    )

    def _module(self, node: Node) -> Value:
        results: list[Value] = []
        path = self._file.parent / node["path"]
        for inner, seen, condition in self._each(node["body"], {}):
            if condition is False:
                results.append(None)
                continue
            values = self._object(inner, seen)
            whole = condition if condition is not True else self._condition
            module = _Module(path, values.get("params", {}), self._deployment, whole)
            module.run()
            results.append({"outputs": module.outputs(), "name": values.get("name")})
        return results if node["body"].kind == "for" else results[0]

    # --- names

    def name(self, name: str) -> Value:
        """Return what a declared name is worth."""
        if name not in self._worth:
            self._worth[name] = Unknown(f"{name}, being worked out")
            self._worth[name] = self._work_out(name)
        return self._worth[name]

    def _work_out(self, name: str) -> Value:
        if name in self._imported:
            path, original = self._imported[name]
            other = _Module(self._file.parent / path, {}, Deployment(self._deployment.cloud))
            if original != "*":
                return other.name(original)
            return {n: other.name(n) for n, d in other._declared.items() if d.kind == "var"}
        node = self._declared.get(name)
        if node is None:
            raise NotUnderstood(f"{self._file.name}: {name!r} is not declared")
        match node.kind:
            case "param" if name in self._given:
                return self._given[name]
            case "param" if node["value"] is None:
                return Unknown(f"param {name}")
            case "resource":
                return self._declare(node)
            case "module":
                return self._module(node)
        return self._value(node["value"], {})

    # --- expressions

    def _object(self, node: Node, scope: Scope) -> dict[str, Value]:
        found: dict[str, Value] = {}
        for element in node["elements"]:
            if element.kind == "property":
                key = element["key"]
                text = key if isinstance(key, str) else shown(self._value(key, scope))
                found[text] = self._value(element["value"], scope)
            elif element.kind == "spread":
                more = self._value(element["value"], scope)
                found |= more if isinstance(more, dict) else {f"...{shown(more)}": more}
        return found

    def _value(self, node: Node, scope: Scope) -> Value:
        method: Callable[[Node, Scope], Value] = getattr(self, f"_on_{node.kind}")
        return method(node, scope)

    def _on_value(self, node: Node, scope: Scope) -> Value:
        return node["value"]

    def _on_text(self, node: Node, scope: Scope) -> Value:
        parts = node["parts"]
        return "".join(p if isinstance(p, str) else shown(self._value(p, scope)) for p in parts)

    def _on_name(self, node: Node, scope: Scope) -> Value:
        return scope[node["name"]] if node["name"] in scope else self.name(node["name"])

    def _on_object(self, node: Node, scope: Scope) -> Value:
        return self._object(node, scope)

    def _on_array(self, node: Node, scope: Scope) -> Value:
        found: list[Value] = []
        for item in node["items"]:
            if item.kind == "spread":
                more = self._value(item["value"], scope)
                found += more if isinstance(more, list) else [more]
            else:
                found.append(self._value(item, scope))
        return found

    def _on_for(self, node: Node, scope: Scope) -> Value:
        return [
            self._value(inner, seen)
            for inner, seen, condition in self._each(node, scope)
            if condition is not False
        ]

    def _on_choice(self, node: Node, scope: Scope) -> Value:
        test = self._value(node["test"], scope)
        if known(test):
            return self._value(node["yes" if test else "no"], scope)
        yes, no = self._value(node["yes"], scope), self._value(node["no"], scope)
        return yes if yes == no else Either(shown(test), yes, no)

    def _on_unary(self, node: Node, scope: Scope) -> Value:
        value = self._value(node["value"], scope)
        if not known(value):
            return Unknown(f"{node['operator']}{shown(value)}")
        return not value if node["operator"] == "!" else -value

    def _on_binary(self, node: Node, scope: Scope) -> Value:
        operator = node["operator"]
        left = self._value(node["left"], scope)
        if operator == "??":
            return self._value(node["right"], scope) if left is None else left
        if operator in {"&&", "||"} and known(left) and bool(left) is (operator == "||"):
            return left
        right = self._value(node["right"], scope)
        if operator in {"&&", "||"}:
            if known(left):
                return right
            return (
                right
                if known(right) and bool(right) is (operator == "||")
                else _asked(left, operator, right)
            )
        if operator in {"==", "!="} and left == right:
            return operator == "=="
        return (
            _OPERATORS[operator](left, right)
            if known(left, right)
            else _asked(left, operator, right)
        )

    def _on_dot(self, node: Node, scope: Scope) -> Value:
        return _member(self._value(node["of"], scope), node["name"])

    def _on_index(self, node: Node, scope: Scope) -> Value:
        of, index = self._value(node["of"], scope), self._value(node["index"], scope)
        if isinstance(of, list) and isinstance(index, int):
            return of[-index if node["from_end"] else index] if index < len(of) else None
        return _member(of, index)

    def _on_nested(self, node: Node, scope: Scope) -> Value:
        found, parent = self._nested_of(node, scope)
        (inner, seen, _), *_more = self._each(found["body"], scope)
        return self._reference(_full_type(found["type"], parent), inner, seen, parent)

    def _nested_of(self, node: Node, scope: Scope) -> tuple[Node, Ref]:
        path, at = node["name"], node["of"]
        while at.kind == "nested":
            path, at = f"{at['name']}::{path}", at["of"]
        self._value(at, scope)
        return self._nested[f"{at['name']}::{path}"]

    def _on_lambda(self, node: Node, scope: Scope) -> Value:
        names = node["names"]
        return lambda *given: self._value(
            node["value"], {**scope, **dict(zip(names, given, strict=False))}
        )

    def _on_method(self, node: Node, scope: Scope) -> Value:
        of = self._value(node["of"], scope)
        arguments = [self._value(each, scope) for each in node["arguments"]]
        return Unknown(f"{shown(of)}.{node['name']}({', '.join(map(shown, arguments))})")

    def _on_call(self, node: Node, scope: Scope) -> Value:
        name = node["name"]
        arguments = [self._value(each, scope) for each in node["arguments"]]
        if name in self._declared and self._declared[name].kind == "func":
            function = self._declared[name]
            return self._value(
                function["value"], dict(zip(function["names"], arguments, strict=True))
            )
        if name == "environment":
            return CLOUDS[self._deployment.cloud]
        if name in {"loadTextContent", "loadJsonContent"}:
            text = (self._file.parent / arguments[0]).read_text()
            return text if name == "loadTextContent" else json.loads(text)
        if name == "readEnvironmentVariable":
            return arguments[1] if len(arguments) > 1 else Unknown(f"variable {arguments[0]}")
        if name in {"map", "filter", "toObject", "reduce", "sort"}:
            return _over(name, arguments)
        return call(name, arguments)


_OPERATORS: dict[str, Callable[[Value, Value], Value]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "=~": lambda left, right: left.lower() == right.lower(),
    "!~": lambda left, right: left.lower() != right.lower(),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left // right,
    "%": lambda left, right: left % right,
}


def _over(name: str, arguments: list[Value]) -> Value:
    given, function, *more = arguments
    if not isinstance(given, list):
        return Unknown(f"{name} over {shown(given)}")
    if name == "map":
        return [function(each) for each in given]
    if name == "filter":
        return [each for each in given if function(each) is not False]
    if name == "toObject":
        return {shown(function(each)): more[0](each) if more else each for each in given}
    return Unknown(f"{name} over {shown(given)}")


def _member(of: Value, name: Value) -> Value:
    if of is None:
        return None
    if isinstance(of, dict):
        return of.get(shown(name))
    if isinstance(of, Ref) and name == "name" and not of.path:
        # A child's name comes after its parents'.
        return of.name.rpartition("/")[2] if of.type.count("/") > 1 else of.name
    if isinstance(of, Ref):
        return Ref(of.type, of.name, (*of.path, shown(name)))
    if isinstance(of, Either):
        return Either(of.test, _member(of.yes, name), _member(of.no, name))
    return Unknown(f"{shown(of).strip('<>')}.{shown(name)}")


def _asked(left: Value, operator: str, right: Value) -> Unknown:
    return Unknown(f"{shown(left)} {operator} {shown(right)}")


def _with(scope: Scope, loop: Node, item: Value, number: int) -> Scope:
    return {**scope, loop["item"]: item, **({loop["index"]: number} if loop["index"] else {})}


def _full_type(kind: str, under: Ref | None = None) -> str:
    """Return a type without its version, under its parent's when it names only the last part."""
    bare = kind.partition("@")[0]
    return f"{under.type}/{bare}" if under is not None and "." not in bare else bare


def _secure(statement: Node) -> bool:
    return any(each.part.get("name") == "secure" for each in statement["decorators"])
