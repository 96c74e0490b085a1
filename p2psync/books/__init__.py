"""Pure knowledge of bookkeeping files: .crp, .ecf, .ecs and .ecc, what is pending, what is damaged; imports `errors`
and `core`.
"""
