// The DCC's parser for many messages: takes a path a line, answers with JSON, a line each.
const { readFileSync } = require('node:fs')
const { createInterface } = require('node:readline')
const { parseDuis } = require('@smartdcc/duis-parser')

createInterface({ input: process.stdin }).on('line', (path) => {
  const parsed = parseDuis('simplified', readFileSync(path, 'utf-8'))
  console.log(JSON.stringify(parsed, (_, value) => (typeof value === 'bigint' ? `${value}` : value)))
})
