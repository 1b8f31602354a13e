// time limit: 180 s
/** The guide to the database keeps its word: its blocks of code are one program that prints what stands behind its lines. */
import { test } from 'uvu'
import { guideProgram, testGuide } from './guide-program.ts'

const guide = guideProgram('database.md', 'blazedb', 'actors/index.ts')
testGuide(guide, "void bugs.query().where('votes', '~', 1)", /"~"/)

test.run()
