interface Page<Item> {
  readonly items: readonly Item[]
  /** Empty: this was the last page. */
  readonly nextPageToken: string
}

/** Everything on all pages, one by one; a page is asked for when the one before it is used up. */
export async function* pages<Item>(read: (pageToken: string) => Promise<Page<Item>>): AsyncGenerator<Item, void> {
  let pageToken = ''
  do {
    const { items, nextPageToken } = await read(pageToken)
    yield* items
    pageToken = nextPageToken
  } while (pageToken !== '')
}
