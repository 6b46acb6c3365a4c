"""The clerk's console: pages over the same use cases as the operators' API, with people instead of programs.

No page says anything of lists, keys, formats or addresses: a clerk sees files, credentials, dates and reasons. Every
handler says first which right it needs; what a page does not show is refused all the same.
"""
