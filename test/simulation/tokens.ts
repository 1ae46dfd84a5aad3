/** What sets are called. One begins as others do, and one differs in a byte. */
export const TOKENS = ['vm-a', 'vm-a', 'vm-ab', 'vm', 'vm-b']
