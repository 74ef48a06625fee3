"""Statements whose SQL is built once: for the few that every sign-in and every page needs.

Django builds the SQL of a statement anew each time, from expressions, and that takes several times longer than sending
it and reading its answer. From call to call only the values in it differ.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Expression, Model, QuerySet
from django.db.models.query import get_related_populators
from django.db.transaction import TransactionManagementError

Row = TypeVar("Row", bound=Model)
P = ParamSpec("P")


def compiled(build: Callable[P, QuerySet[Row]]) -> Callable[P, list[Row]]:
    """Make a function that returns a queryset one that returns its rows, and builds the SQL only the first time.

    The function is called once, with a stand-in for each argument: it may compare columns with them, and nothing else.
    Its callers give values as PostgreSQL takes them, or rows, which stand for their keys; by position.
    """
    return _compiled(build, None)


def compiled_sharing(shared: type[Model]) -> Callable[[Callable[P, QuerySet[Row]]], Callable[P, list[Row]]]:
    """As ``compiled``; and the rows of ``shared`` that are joined stay as they are until the transaction ends.

    Many may share them. Whoever changes one waits for all of them, and who asks while it is being changed waits, and
    decides by what has come of it (``FOR SHARE``, which Django has no words for). They are locked before those that
    the queryset itself locks, in the order in which changes go.
    """
    return lambda build: _compiled(build, shared)


def _compiled(build: Callable[P, QuerySet[Row]], shared: type[Model] | None) -> Callable[P, list[Row]]:
    statements: list[_Statement[Row]] = []  # Two threads may both build the first; either will do.

    @functools.wraps(build)
    def rows(*values: P.args, **_: P.kwargs) -> list[Row]:
        if not statements:
            stand_ins: Any = [_Given(place) for place in range(len(inspect.signature(build).parameters))]
            statements.append(_Statement(build(*stand_ins), shared))  # type: ignore[call-arg]
        return list(statements[0].rows(values))

    return rows


class _Given(Expression):
    """Where the value of the argument in this place goes."""

    def __init__(self, place: int) -> None:
        super().__init__()
        self.place = place

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        return "%s", [self]


class _Statement(Generic[Row]):
    """The SQL of a queryset, and how its rows are made of what comes back: as ``QuerySet`` does it, prepared."""

    def __init__(self, queryset: QuerySet[Row], shared: type[Model] | None) -> None:
        self.model, self.is_locking = queryset.model, queryset.query.select_for_update or shared is not None
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        self.sql, self.params = compiler.as_sql()
        if shared is not None:
            before, lock, after = self.sql.partition(" FOR UPDATE")
            self.sql = f"{before} FOR SHARE OF {_quoted(shared._meta.db_table)}{lock}{after}"
        columns, tables = compiler.select, compiler.klass_info
        own = tables["select_fields"]
        self.own = slice(own[0], own[-1] + 1)
        self.names = [column.target.attname for column, *_ in columns[self.own]]
        self.annotations = list(compiler.annotation_col_map.items())
        self.related = get_related_populators(tables, columns, DEFAULT_DB_ALIAS)  # type: ignore[call-arg]  # the stubs are ahead
        self.converters = list(compiler.get_converters([column for column, *_ in columns]).items())

    def rows(self, values: Sequence[Any]) -> Iterator[Row]:
        connection = connections[DEFAULT_DB_ALIAS]
        if self.is_locking and connection.get_autocommit():
            raise TransactionManagementError("a lock outside of a transaction is gone at once")
        given = [value.pk if isinstance(value, Model) else value for value in values]
        params = [given[param.place] if isinstance(param, _Given) else param for param in self.params]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            found = cursor.fetchall()
        for columns in found:
            columns = self._converted(columns, connection) if self.converters else columns
            row = self.model.from_db(DEFAULT_DB_ALIAS, self.names, columns[self.own])
            for name, place in self.annotations:
                setattr(row, name, columns[place])
            for populator in self.related:
                populator.populate(columns, row)
            yield row

    def _converted(self, columns: Sequence[Any], connection: Any) -> Sequence[Any]:
        values = list(columns)
        for place, (converters, column) in self.converters:
            for convert in converters:
                values[place] = convert(values[place], column, connection)
        return values


def insert(row: Model) -> None:
    """Write a new row whose key is not the database's to choose, as ``save(force_insert=True)`` does; no signals."""
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _insertion(type(row))
    values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


def update(row: Model, *names: str) -> None:
    """Write these fields of a row that is there, as ``save(update_fields=names)`` does; no signals.

    Nothing happens when the row is gone meanwhile.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    sql, fields = _change(type(row), names)
    values = [field.get_db_prep_save(field.pre_save(row, False), connection) for field in fields]
    with connection.cursor() as cursor:
        cursor.execute(sql, [*values, row.pk])


@functools.cache
def _insertion(model: type[Model]) -> tuple[str, list[Any]]:
    fields = [field for field in model._meta.concrete_fields if not field.generated]
    columns, places = ", ".join(_quoted(field.column) for field in fields), ", ".join("%s" for _ in fields)
    return f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES ({places})", fields  # noqa: S608


@functools.cache
def _change(model: type[Model], names: tuple[str, ...]) -> tuple[str, list[Any]]:
    fields: list[Any] = [model._meta.get_field(name) for name in names]
    changes, key = ", ".join(f"{_quoted(field.column)} = %s" for field in fields), _quoted(model._meta.pk.column)
    return f"UPDATE {_quoted(model._meta.db_table)} SET {changes} WHERE {key} = %s", fields  # noqa: S608


def _quoted(name: str | None) -> str:
    return connections[DEFAULT_DB_ALIAS].ops.quote_name(name)  # type: ignore[arg-type]  # a concrete field has a column
