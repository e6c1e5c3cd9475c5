"""Bicep's grammar, without the types of parameters: statements and expressions as a tree."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scripts.bicep.tokens import NotUnderstood, Token, tokens

__all__ = ["Node", "NotUnderstood", "parse"]

_LEVEL = {
    **dict.fromkeys(("??",), 1),
    **dict.fromkeys(("||",), 2),
    **dict.fromkeys(("&&",), 3),
    **dict.fromkeys(("==", "!=", "=~", "!~"), 4),
    **dict.fromkeys(("<", "<=", ">", ">="), 5),
    **dict.fromkeys(("+", "-"), 6),
    **dict.fromkeys(("*", "/", "%"), 7),
}


@dataclass(slots=True)
class Node:
    """A statement or an expression; what is in *part* depends on the kind."""

    kind: str
    line: int
    part: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.part[name]


def parse(text: str) -> list[Node]:
    """Return the statements of a file. Raises `NotUnderstood`."""
    return _Parser(tokens(text)).file()


class _Parser:
    def __init__(self, given: tuple[Token, ...]) -> None:
        self._tokens = given
        self._at = 0

    # --- tokens

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        self._at += 1
        return self._tokens[self._at - 1]

    def _is(self, *values: str) -> bool:
        return self._next.kind in {"operator", "word"} and self._next.value in values

    def _if(self, *values: str) -> bool:
        found = self._is(*values)
        self._at += found
        return found

    def _expect(self, value: str) -> Token:
        if not self._is(value):
            raise NotUnderstood(f"line {self._next.line}: {value!r} expected")
        return self._take()

    def _lines(self) -> None:
        while self._next.kind == "line":
            self._at += 1

    def _word(self) -> str:
        if self._next.kind != "word":
            raise NotUnderstood(f"line {self._next.line}: a name expected")
        return self._take().value

    def _past_lines(self, *values: str) -> bool:
        """Say whether one of *values* comes next, and skip the lines before it if so."""
        at = self._at
        self._lines()
        if self._is(*values):
            return True
        self._at = at
        return False

    # --- statements

    def file(self) -> list[Node]:
        found = []
        self._lines()
        while self._next.kind != "end":
            found.append(self._statement())
            if self._next.kind not in {"line", "end"}:
                raise NotUnderstood(f"line {self._next.line}: {self._next.value!r}")
            self._lines()
        return found

    def _statement(self) -> Node:
        decorators = self._decorators()
        line, word = self._next.line, self._word()
        node = Node(word, line)
        match word:
            case "targetScope":
                self._expect("=")
                node.part = {"value": self._expression()}
            case "param" | "var" | "output" | "metadata" | "type":
                name = self._word()
                self._skip_type()
                value = self._expression() if word != "type" and self._if("=") else None
                if word == "type":
                    self._skip_type(whole=True)
                node.part = {"name": name, "value": value}
            case "resource":
                node.part = self._resource()
            case "module":
                node.part = {"name": self._word(), "path": self._take().value}
                self._expect("=")
                node.part["body"] = self._body()
            case "func":
                name, names = self._word(), self._func_names()
                self._skip_type(until="=>")
                self._expect("=>")
                self._lines()
                node.part = {"name": name, "names": names, "value": self._expression()}
            case "import":
                node.part = self._import()
            case "using" | "extension" | "extends":
                node.part = {"path": self._take().value}
                while self._next.kind not in {"line", "end"}:
                    self._take()
            case _:
                raise NotUnderstood(f"line {line}: {word!r}")
        node.part["decorators"] = decorators
        return node

    def _decorators(self) -> list[Node]:
        found = []
        while self._if("@"):
            found.append(self._member())
            self._lines()
        return found

    def _skip_type(self, *, until: str = "=", whole: bool = False) -> None:
        depth = 0
        if whole:
            self._expect("=")
        while self._next.kind != "end":
            if depth == 0 and (self._next.kind == "line" or (not whole and self._is(until))):
                if self._next.kind == "line" and self._past_lines("|"):
                    continue
                return
            token = self._take()
            if token.kind == "operator":
                depth += (token.value in "{[(") - (token.value in "}])")

    def _resource(self) -> dict[str, Any]:
        name, kind = self._word(), self._take().value
        existing = self._if("existing")
        self._expect("=")
        return {"name": name, "type": kind, "existing": existing, "body": self._body()}

    def _func_names(self) -> list[str]:
        names = []
        self._expect("(")
        self._lines()
        while not self._if(")"):
            names.append(self._word())
            depth = 0
            while depth or not self._is(",", ")"):
                token = self._take()
                depth += (token.value in tuple("{[(")) - (token.value in tuple("}])"))
            self._if(",")
            self._lines()
        return names

    def _import(self) -> dict[str, Any]:
        names: dict[str, str] = {}
        if self._if("*"):
            self._expect("as")
            names[self._word()] = "*"
        else:
            self._expect("{")
            self._lines()
            while not self._if("}"):
                original = self._word()
                names[self._word() if self._if("as") else original] = original
                self._if(",")
                self._lines()
        self._expect("from")
        return {"names": names, "path": self._take().value}

    # --- bodies of resources and modules

    def _body(self) -> Node:
        self._past_lines("if")
        if self._is("if"):
            return self._condition()
        if self._is("["):
            return self._loop(self._body)
        return self._object()

    def _condition(self) -> Node:
        line = self._take().line
        self._expect("(")
        test = self._enclosed(")")
        return Node("if", line, {"test": test, "body": self._object()})

    def _loop(self, body: Callable[[], Node]) -> Node:
        line = self._expect("[").line
        self._lines()
        self._expect("for")
        index = None
        if self._if("("):
            item = self._word()
            self._expect(",")
            index = self._word()
            self._expect(")")
        else:
            item = self._word()
        self._expect("in")
        over = self._expression()
        self._expect(":")
        self._lines()
        inner = body()
        self._lines()
        self._expect("]")
        return Node("for", line, {"item": item, "index": index, "over": over, "body": inner})

    # --- expressions

    def _enclosed(self, close: str) -> Node:
        self._lines()
        inner = self._expression()
        self._lines()
        self._expect(close)
        return inner

    def _expression(self) -> Node:
        test = self._binary(0)
        if not self._past_lines("?"):
            return test
        line = self._take().line
        self._lines()
        yes = self._expression()
        if not self._past_lines(":"):
            raise NotUnderstood(f"line {line}: a conditional without ':'")
        self._take()
        self._lines()
        return Node("choice", line, {"test": test, "yes": yes, "no": self._expression()})

    def _binary(self, least: int) -> Node:
        left = self._unary()
        while self._next.kind == "operator" and _LEVEL.get(self._next.value, 0) > least:
            operator = self._take()
            self._lines()
            right = self._binary(_LEVEL[operator.value])
            part = {"operator": operator.value, "left": left, "right": right}
            left = Node("binary", operator.line, part)
        return left

    def _unary(self) -> Node:
        if self._is("!", "-", "+"):
            operator = self._take()
            part = {"operator": operator.value, "value": self._unary()}
            return Node("unary", operator.line, part)
        return self._member()

    def _member(self) -> Node:
        node = self._primary()
        while True:
            line = self._next.line
            if self._if("["):
                self._if("?")
                from_end = self._if("^")
                index = self._enclosed("]")
                node = Node("index", line, {"of": node, "index": index, "from_end": from_end})
            elif self._if("."):
                self._if("?")
                node = Node("dot", line, {"of": node, "name": self._word()})
                if self._is("("):
                    node.kind = "method"
                    node.part["arguments"] = self._arguments()
            elif self._if("::"):
                node = Node("nested", line, {"of": node, "name": self._word()})
            elif not (self._is("!") and self._if("!")):
                return node

    def _arguments(self) -> list[Node]:
        self._expect("(")
        self._lines()
        found = []
        while not self._if(")"):
            found.append(self._expression())
            self._lines()
            self._if(",")
            self._lines()
        return found

    def _primary(self) -> Node:
        token = self._next
        match token.kind, token.value:
            case "number", digits:
                self._take()
                return Node("value", token.line, {"value": int(digits)})
            case "text", _:
                self._take()
                parts = [p if isinstance(p, str) else _Parser(p)._whole() for p in token.parts]
                return Node("text", token.line, {"parts": parts})
            case "word", "true" | "false" | "null":
                value = {"true": True, "false": False, "null": None}[self._take().value]
                return Node("value", token.line, {"value": value})
            case "word", name:
                self._take()
                if self._if("=>"):
                    self._lines()
                    return Node(
                        "lambda", token.line, {"names": [name], "value": self._expression()}
                    )
                if self._is("("):
                    part = {"name": name, "arguments": self._arguments()}
                    return Node("call", token.line, part)
                return Node("name", token.line, {"name": name})
            case "operator", "{":
                return self._object()
            case "operator", "[":
                return self._array()
            case "operator", "(":
                return self._parenthesised()
        raise NotUnderstood(f"line {token.line}: {token.value!r} where a value should be")

    def _whole(self) -> Node:
        node = self._expression()
        if self._next.kind != "end":
            raise NotUnderstood(f"line {self._next.line}: {self._next.value!r} in a string")
        return node

    def _parenthesised(self) -> Node:
        line = self._expect("(").line
        self._lines()
        inner = [] if self._is(")") else [self._expression()]
        while self._past_lines(","):
            self._take()
            self._lines()
            inner.append(self._expression())
        self._lines()
        self._expect(")")
        if self._if("=>"):
            self._lines()
            names = [each["name"] for each in inner]
            return Node("lambda", line, {"names": names, "value": self._expression()})
        (only,) = inner
        return only

    def _array(self) -> Node:
        at = self._at + 1
        while self._tokens[at].kind == "line":
            at += 1
        if self._tokens[at].value == "for" and self._tokens[at].kind == "word":
            return self._loop(self._expression)
        line = self._expect("[").line
        return Node("array", line, {"items": self._elements("]", self._array_item)})

    def _array_item(self) -> Node:
        if self._is("..."):
            return Node("spread", self._take().line, {"value": self._expression()})
        return self._expression()

    def _object(self) -> Node:
        line = self._expect("{").line
        return Node("object", line, {"elements": self._elements("}", self._property)})

    def _property(self) -> Node:
        token = self._next
        if self._is("..."):
            return self._array_item()
        after = self._tokens[self._at + 1]
        if self._is("@") or (self._is("resource") and after.kind == "word"):
            return self._statement()
        if token.kind == "word":
            key: str | Node = self._take().value
        elif token.kind == "text":
            text = self._primary()
            key = text if len(text["parts"]) > 1 else text["parts"][0]
        else:
            raise NotUnderstood(f"line {token.line}: {token.value!r} where a property should be")
        self._expect(":")
        self._lines()
        return Node("property", token.line, {"key": key, "value": self._expression()})

    def _elements(self, close: str, element: Callable[[], Node]) -> list[Node]:
        found: list[Node] = []
        self._lines()
        while not self._if(close):
            found.append(element())
            if not self._is(close) and self._next.kind != "line":
                self._expect(",")
            self._lines()
        return found
