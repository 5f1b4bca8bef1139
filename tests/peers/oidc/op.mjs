// An OpenID provider for tests: `node op.mjs PORT`. Whoever types a name is logged in under it.
import { Provider } from 'oidc-provider';

const port = Number(process.argv[2]);
const accounts = {
  alice: {
    name: 'Alice',
    preferred_username: 'alice',
    eduperson_entitlement: ['urn:mace:egi.eu:group:cscale.eu:role=member#aai.egi.eu'],
  },
  bob: {
    name: 'Bob',
    preferred_username: 'bob',
    eduperson_entitlement: ['urn:mace:egi.eu:group:cscale.eu:hydrology:role=manager#aai.egi.eu'],
  },
};
// Tokens for these are JWTs or opaque; without a resource they are opaque, and good for userinfo.
const formats = { 'urn:cscale:api': 'jwt', 'urn:cscale:opaque': 'opaque' };
const device = 'urn:ietf:params:oauth:grant-type:device_code';

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'cli',
      token_endpoint_auth_method: 'none',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token', device],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1/callback'], // any port (RFC 8252 7.3)
    },
    {
      client_id: 'hub',
      client_secret: 'geheim',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      redirect_uris: ['http://127.0.0.1:8300/login/callback'],
    },
    {
      client_id: 'service',
      client_secret: 'auch-geheim',
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ],
  scopes: ['openid', 'offline_access', 'profile', 'entitlements'],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    entitlements: ['eduperson_entitlement'],
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...accounts[id] }) }),
  extraTokenClaims: (_, token) =>
    accounts[token.accountId] && { eduperson_entitlement: accounts[token.accountId].eduperson_entitlement },
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, resource) => ({
        scope: 'openid profile entitlements offline_access compute',
        audience: resource,
        accessTokenFormat: formats[resource] ?? 'jwt',
        jwt: { sign: { alg: 'RS256' } },
      }),
    },
  },
  issueRefreshToken: () => true,
  pkce: { required: () => false },
  cookies: { keys: ['for tests'] },
  ttl: { AccessToken: 600 },
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
