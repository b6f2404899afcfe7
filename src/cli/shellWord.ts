/** An argument as a shell takes it, for commands that are printed to be copied: quoted where it needs to be. */
export function shellWord(argument: string): string {
  return /^[\p{L}\p{N}_@%+=:,./-]+$/u.test(argument) ? argument : `'${argument.replace(/'/g, "'\\''")}'`;
}
