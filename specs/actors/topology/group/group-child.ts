/** Opens an app group in a process of its own when it is told to, and prints what it found there as a line of JSON. */
import { createDirectoryVolume } from '../../../../actors/replica/index.ts'
import { openAppGroup } from '../../../../actors/topology/group/index.ts'
import { createNodeEnv, nodeCrypto, toHex } from '../../../../runtime/index.ts'

const [directory = '', app = ''] = process.argv.slice(2)
const world = { volume: createDirectoryVolume, env: createNodeEnv(), crypto: nodeCrypto }

process.stdin.once('data', () => {
  process.stdin.destroy()
  void run()
})
process.stdout.write('ready\n')

async function run(): Promise<void> {
  const group = await openAppGroup(world, { id: 'desk', directory })
  const { device, staticKey } = await group.app(app)
  const { publicKey } = device
  const found = await group.appOf(publicKey)
  const keys = [group.psk, publicKey, nodeCrypto.createP256(staticKey).publicKey].map(toHex)
  process.stdout.write(`${JSON.stringify({ keys, found })}\n`)
}
