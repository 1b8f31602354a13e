/**
 * better-sqlite3 in group `store`: one table with a column a field, an id of text as primary key, an index on `n`.
 *
 * Invariant: it is no dependency; every transaction is synced (write-ahead log, `synchronous = FULL`).
 */
import { join } from 'node:path'
import { lookAt } from './store-system.ts'
import type { StorePlace, StoreSystem } from './store-system.ts'
import { fieldsOf, rowId } from './store-rows.ts'
import type { StoreRow } from './store-rows.ts'

type Parameter = string | number

interface Statement {
  run(...parameters: readonly Parameter[]): unknown
  get(...parameters: readonly Parameter[]): unknown
  all(...parameters: readonly Parameter[]): unknown[]
}

interface Sqlite {
  pragma(text: string): unknown
  exec(sql: string): unknown
  prepare(sql: string): Statement
  transaction(work: (items: readonly Parameter[][]) => void): (items: readonly Parameter[][]) => void
  close(): void
}

type SqliteClass = new (path: string) => Sqlite

/** Undefined when it is not installed. */
export async function loadSqlite(): Promise<SqliteClass | undefined> {
  // A name that no compiler looks up.
  const name: string = 'better-sqlite3'
  try {
    const loaded = (await import(name)) as { readonly default: SqliteClass }
    return loaded.default
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

export async function openSqlite({ at, kind, make }: StorePlace): Promise<StoreSystem<Parameter[]>> {
  const Database = await loadSqlite()
  if (Database === undefined) throw new Error('better-sqlite3 is not installed')
  const sqlite = new Database(join(at, 'records.db'))
  sqlite.pragma('journal_mode = WAL')
  sqlite.pragma('synchronous = FULL')
  const fields = fieldsOf[kind]
  if (make) {
    sqlite.exec(`create table records (id text primary key, ${fields.join(', ')})`)
    sqlite.exec('create index records_n on records (n)')
  }
  return new SqliteSystem(sqlite, fields)
}

class SqliteSystem implements StoreSystem<Parameter[]> {
  readonly #sqlite: Sqlite
  readonly #fields: readonly string[]
  readonly #insert: Statement
  readonly #insertMany: (items: readonly Parameter[][]) => void
  readonly #get: Statement
  readonly #range: Statement
  readonly #scan: Statement

  constructor(sqlite: Sqlite, fields: readonly string[]) {
    const marks = fields.map(() => '?').join(', ')
    this.#sqlite = sqlite
    this.#fields = fields
    this.#insert = sqlite.prepare(`insert into records values (?, ${marks})`)
    this.#insertMany = sqlite.transaction((items) => {
      for (const item of items) this.#insert.run(...item)
    })
    this.#get = sqlite.prepare('select * from records where id = ?')
    this.#range = sqlite.prepare('select * from records where n >= ? order by n limit ?')
    this.#scan = sqlite.prepare('select * from records where lat >= ?')
  }

  itemOf(row: StoreRow, n: number): Parameter[] {
    return [rowId(n), ...this.#fields.map((field) => plain(row[field]))]
  }

  async insert(item: Parameter[]): Promise<void> {
    this.#insert.run(...item)
  }

  async insertMany(items: readonly Parameter[][]): Promise<void> {
    this.#insertMany(items)
  }

  async settle(): Promise<void> {
    // Its index is part of the transaction.
  }

  async count(): Promise<number> {
    const { count } = this.#sqlite.prepare('select count(*) as count from records').get() as { count: number }
    return count
  }

  async read(n: number): Promise<unknown> {
    const { id: _, ...row } = this.#row(n)
    const booleans = 'done' in row ? { done: row['done'] === 1 } : {}
    return { ...row, ...booleans }
  }

  async getAll(numbers: readonly number[]): Promise<number> {
    let looked = 0
    for (const n of numbers) looked += lookAt(this.#row(n))
    return looked
  }

  async range(n: number, count: number): Promise<readonly number[]> {
    const rows = this.#range.all(n, count) as StoreRow[]
    return rows.map((row) => (lookAt(row) > 0 ? row.n : -1))
  }

  async scan(lat: number): Promise<number> {
    const rows = this.#scan.all(lat) as StoreRow[]
    return rows.filter((row) => lookAt(row) > 0).length
  }

  async close(): Promise<void> {
    this.#sqlite.close()
  }

  #row(n: number): { readonly [field: string]: Parameter } {
    const row = this.#get.get(rowId(n))
    if (row === undefined) throw new Error(`better-sqlite3 has no row ${n}`)
    return row as { readonly [field: string]: Parameter }
  }
}

function plain(value: StoreRow[string] | undefined): Parameter {
  return typeof value === 'boolean' ? Number(value) : (value ?? '')
}
