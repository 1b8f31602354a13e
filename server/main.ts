#!/usr/bin/env node
/** The program `blazedb`: runs the command line and exits with its code. Nothing imports it. */
import { runCommandLine } from './cli.ts'

process.exit(await runCommandLine(process.argv.slice(2)))
