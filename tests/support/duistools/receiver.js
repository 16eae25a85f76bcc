// A Service User's Receive Response Service, made of the DCC's parser: mutual TLS, one document in
// each POST. Keeps what it took as FOLDER/<n>.xml; answers 204, or 400 to what it can't make sense
// of, or first the statuses that it is given.
//
// node receiver.js FOLDER KEY CERTIFICATE CLIENTS_CA [STATUS...]   prints its port, then its answers
const { createServer } = require('node:https')
const { readFileSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const {
  parseDuis,
  isSimplifiedDuisOutputResponse,
  isSimplifiedDuisResponseBody_DCCAlertMessage,
} = require('@smartdcc/duis-parser')

const [folder, key, cert, ca, ...statuses] = process.argv.slice(2)
let taken = 0

function verdict(request, body) {
  if (request.method !== 'POST' || request.headers['content-type'] !== 'application/xml') return 415
  try {
    const duis = parseDuis('simplified', body.toString('utf-8'))
    const alert =
      isSimplifiedDuisOutputResponse(duis) &&
      isSimplifiedDuisResponseBody_DCCAlertMessage(duis.body)
    return alert ? 204 : 400
  } catch {
    return 400
  }
}

const server = createServer(
  {
    key: readFileSync(key),
    cert: readFileSync(cert),
    ca: readFileSync(ca),
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  },
  (request, response) => {
    const chunks = []
    request.on('data', (chunk) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      taken += 1
      writeFileSync(join(folder, `${taken}.xml`), body)
      response.statusCode = Number(statuses.shift() ?? verdict(request, body))
      console.log(response.statusCode)
      response.end()
    })
  },
)
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume().on('end', () => process.exit(0)) // nobody wants us any more
