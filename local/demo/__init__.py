"""`make run`: the whole main job, step by step, before your eyes."""
