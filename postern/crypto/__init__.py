"""Pure cryptography: sealing, hashes of bearer values, and what a vault key signs. No I/O."""
