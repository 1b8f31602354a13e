/** Several transports as one: each endpoint goes to the transport of its kind. Invariant: it adds nothing and hides nothing. */
import { BlazeError } from '../runtime/index.ts'
import type { Endpoint } from './endpoint.ts'
import { formatEndpoint } from './endpoint.ts'
import type { Transport } from './transport.ts'

/** `NOT_SUPPORTED` for a kind that is not among them. */
export function routeTransports(
  byKind: Readonly<Partial<Record<Endpoint['transport'], Transport>>>,
): Transport {
  const transportOf = (endpoint: Endpoint): Transport => {
    const transport = byKind[endpoint.transport]
    if (transport === undefined) {
      const kinds = Object.keys(byKind).join(', ')
      throw new BlazeError('NOT_SUPPORTED', `${formatEndpoint(endpoint)}: expected one of ${kinds} here`)
    }
    return transport
  }
  return {
    name: 'routed',
    listen: async (endpoint, onLink, onRefused) => transportOf(endpoint).listen(endpoint, onLink, onRefused),
    dial: async (endpoint, options) => transportOf(endpoint).dial(endpoint, options),
  }
}
