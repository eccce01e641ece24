'use strict'
// What editors written in JavaScript make of ssh configs, read by builds of the npm package
// ssh-config. Asked and answered in JSON; see npm.py.
//
// The package leaves Include lines to its users. Remote-SSH's source is closed; what is public of
// its rules is in docs/readers.md. `follow` names them:
//   none    Include is passed over, as in an editor that knows the package only
//   top     an Include outside of every Host section is replaced by what it names
//   nested  besides, one inside a Host section is put behind that section

const fs = require('fs')
const path = require('path')

const ask = JSON.parse(fs.readFileSync(0, 'utf8'))

function param (line) {
  return typeof line.param === 'string' ? line.param.toLowerCase() : ''
}

function words (value) {
  if (value === undefined || value === null) return []
  const list = Array.isArray(value) ? value : [value]
  return list.map(word => (typeof word === 'string' ? word : word.val))
}

function named (pattern) {
  const full = path.resolve(ask.folder, pattern.replace(/^~(?=\/)/, ask.home))
  const last = path.basename(full).replace(/[.+^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*').replace(/\?/g, '.')
  const folder = path.dirname(full)
  if (!fs.existsSync(folder)) return []
  return fs.readdirSync(folder).sort().filter(name => new RegExp(`^${last}$`).test(name))
    .map(name => path.join(folder, name)).filter(file => fs.statSync(file).isFile())
}

function included (library, line, follow, depth) {
  return words(line.value).flatMap(value => value.split(','))
    .flatMap(value => named(value.trim())).flatMap(file => [...read(library, file, follow, depth + 1)])
}

function read (library, file, follow, depth = 0) {
  if (depth > 16) throw new Error('too many Includes in each other')
  const config = library.parse(fs.readFileSync(file, 'utf8'))
  if (follow === 'none') return config
  const lines = config.flatMap(line => {
    if (param(line) === 'include') return included(library, line, follow, depth)
    if (param(line) !== 'host' || follow !== 'nested' || !line.config) return [line]
    const inner = line.config.filter(one => param(one) === 'include')
    line.config = line.config.filter(one => !inner.includes(one))
    return [line, ...inner.flatMap(one => included(library, one, follow, depth))]
  })
  config.splice(0, config.length, ...lines)
  return config
}

function listed (config) {
  const sections = config.filter(line => param(line) === 'host' && line.config)
  return sections.flatMap(line => words(line.value)).filter(name => !/^!|[*?]/.test(name))
}

function reading (library, file, follow) {
  let config
  try {
    config = read(library, file, follow)
    const options = {}
    for (const host of ask.hosts) {
      // A keyword in quotes, which ssh takes, is none to the package; nor is a blank line to 4.1.
      const found = Object.entries(config.compute(host)).filter(([name]) => /^[a-z0-9]+$/i.test(name))
      options[host] = Object.fromEntries(found.map(([name, value]) => [name.toLowerCase(), words(value)]))
    }
    return { error: '', listed: listed(config), options }
  } catch (error) {
    return { error: String(error.message), listed: [], options: {} }
  }
}

process.stdout.write(JSON.stringify(ask.libraries.map(name => {
  const found = require(name)
  const library = found.default || found
  return ask.follow.map(follow => ask.files.map(file => reading(library, file, follow)))
})))
