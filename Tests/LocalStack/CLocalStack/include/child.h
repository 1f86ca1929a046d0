#pragma once


/// Spawns `path` in `folder` and a process group of its own: standard input empty, output appended to `log`, no other
/// descriptor open. Returns 0 and the process id, or an errno.
int child_spawn(int *pid, const char *path, char *const argv[], char *const envp[], const char *folder,
                const char *log);
