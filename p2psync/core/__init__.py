"""Pure values and algorithms: ids, paths, clocks, entries, changes, blocks, heads, authority, rules, conflicts,
plans, chunking; imports only `errors`.
"""
