"""What bookkeeping programs have to do with a mandate: their own files, their charts, what they want to know."""
