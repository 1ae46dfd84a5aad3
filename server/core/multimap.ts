/** A map to sets, where a key without members has no entry. */

export function addTo<Key, Member>(map: Map<Key, Set<Member>>, key: Key, member: Member): void {
  const members = map.get(key)
  if (members === undefined) map.set(key, new Set([member]))
  else members.add(member)
}

export function removeFrom<Key, Member>(map: Map<Key, Set<Member>>, key: Key, member: Member): void {
  const members = map.get(key)
  members?.delete(member)
  if (members?.size === 0) map.delete(key)
}
