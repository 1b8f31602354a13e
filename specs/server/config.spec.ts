/** Configuration: who wins over whom, and what is said about a bad value. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError } from '../../runtime/index.ts'
import type { ConfigSources } from '../../server/config.ts'
import { resolveConfig, resolveData } from '../../server/config.ts'

interface Given {
  flags?: Record<string, string>
  environment?: Record<string, string>
  files?: Record<string, string>
}

function sources({ flags = {}, environment = {}, files = {} }: Given): ConfigSources {
  return {
    flags,
    environment,
    readFile(path) {
      const text = files[path]
      if (text === undefined) throw new Error('no such file')
      return text
    },
  }
}

function problemOf(given: Given): string {
  try {
    resolveConfig(sources(given))
  } catch (error) {
    assert.instance(error, BlazeError)
    if (error instanceof BlazeError) {
      assert.is(error.code, 'BAD_CONFIG')
      return error.message
    }
  }
  throw new Error('expected BAD_CONFIG')
}

test('nothing needs to be configured', () => {
  assert.equal(resolveConfig(sources({})), {
    data: './blazedb-data',
    listen: { transport: 'tls', host: '0.0.0.0', port: 8080 },
    ops: { host: '127.0.0.1', port: 8081 },
    advertise: undefined,
    quotaBytes: undefined,
    rateBytes: undefined,
    proxied: undefined,
    local: 'default',
  })
})

test('a flag wins over the environment, that over the file, that over the default', () => {
  const files = { 'pi.toml': 'data = "file"\nlisten = "tls://127.0.0.1:1"\nops = "http://127.0.0.1:1"\n' }
  const config = resolveConfig(
    sources({
      flags: { config: 'pi.toml', data: 'flag' },
      environment: { BLAZEDB_DATA: 'environment', BLAZEDB_LISTEN: 'tls://127.0.0.1:2' },
      files,
    }),
  )

  assert.is(config.data, 'flag')
  assert.is(config.listen.port, 2)
  assert.is(config.ops.port, 1)
  assert.is(resolveData(sources({ environment: { BLAZEDB_CONFIG: 'pi.toml' }, files })), 'file')
})

test('what codes name is a host with or without a port', () => {
  const advertise = (text: string): unknown =>
    resolveConfig(sources({ flags: { advertise: text } })).advertise

  assert.equal(advertise('pi.example'), { host: 'pi.example' })
  assert.equal(advertise('pi.example:9000'), { host: 'pi.example', port: 9000 })
  assert.equal(advertise('[2001:db8::1]:9000'), { host: '2001:db8::1', port: 9000 })
})

test('a bad value names its source, what was expected and what came', () => {
  assert.is(
    problemOf({ flags: { listen: 'http://x:1' } }),
    '--listen: expected an endpoint like tls://0.0.0.0:8080, got "http://x:1"',
  )
  assert.is(
    problemOf({ environment: { BLAZEDB_OPS: 'localhost' } }),
    'BLAZEDB_OPS: expected an address like http://127.0.0.1:8081, got "localhost"',
  )
  assert.is(problemOf({ flags: { advertise: 'a b' } }), '--advertise: expected HOST or HOST:PORT, got "a b"')
  assert.is(problemOf({ flags: { data: ' ' } }), '--data: expected a directory, got nothing')
})

test('the status page listens on loopback only', () => {
  assert.match(problemOf({ flags: { ops: 'http://0.0.0.0:8081' } }), 'expected a loopback address')
  assert.is(resolveConfig(sources({ flags: { ops: 'http://[::1]:0' } })).ops.host, '::1')
})

test('a file that is missing, is no TOML, or has unknown keys or types says so', () => {
  assert.is(problemOf({ flags: { config: 'x.toml' } }), 'cannot read x.toml: no such file')
  assert.is(
    problemOf({ flags: { config: 'x.toml' }, files: { 'x.toml': 'data = \n' } }),
    'x.toml is not TOML: line 1, column 8',
  )
  assert.is(
    problemOf({ flags: { config: 'x.toml' }, files: { 'x.toml': 'prot = 1\n' } }),
    'x.toml: Unrecognized key: "prot"',
  )
  assert.match(
    problemOf({ flags: { config: 'x.toml' }, files: { 'x.toml': 'data = 1\n' } }),
    'x.toml: data: Invalid input: expected string, received number',
  )
})

test.run()
