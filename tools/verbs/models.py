"""``eegscribe models``: the local store of bundles."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import BundleError, EegscribeError
from tools.console.bundle_argument import BUNDLE_HELP, bundle_argument

if TYPE_CHECKING:
    from argparse import Namespace

EXAMPLE = """examples:
  eegscribe models install speller.eegb --name ada
  eegscribe models list
  eegscribe models verify
  eegscribe replay run3.xdf --bundle ada

A configuration says bundle = "ada" then; every verb that takes a bundle takes its name, or its
digest. A bundle in the store is never altered: another one under the same name is --replace.
The store of a service eegscribe@NAME is --store /var/lib/eegscribe/NAME/models."""

DIGEST_HELP = "name, digest, or its first 8 digits or more"


def add_parser(verbs: Any) -> None:
    """Add the verb's arguments."""
    parser = verbs.add_parser(
        "models",
        help="the local store: install, list, show, verify, remove, path",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    install = _action(actions, "install", _install, "verify a bundle, run it, and keep it")
    install.add_argument("bundle", type=bundle_argument, metavar="B", help=BUNDLE_HELP)
    install.add_argument("--name", help="what to call it (the name in its manifest)")
    install.add_argument("--replace", action="store_true", help="take the name from another one")
    install.add_argument("--sha256", metavar="DIGEST", help="refuse any other bundle than this")
    _action(actions, "list", _list, "all bundles with their names")
    show = _action(actions, "show", _show, "all that a manifest says")
    show.add_argument("which", metavar="NAME", help=DIGEST_HELP)
    verify = _action(actions, "verify", _verify, "check every digest, and replay golden vectors")
    verify.add_argument("which", metavar="NAME", nargs="*", help=f"{DIGEST_HELP} (all)")
    remove = _action(actions, "remove", _remove, "take names out, and bundles without a name")
    remove.add_argument("which", metavar="NAME", nargs="+", help=DIGEST_HELP)
    remove.add_argument("--force", action="store_true", help="also if it has names, or is in use")
    path = _action(actions, "path", _path, "where a bundle is, or the store itself")
    path.add_argument("which", metavar="NAME", nargs="?", help=DIGEST_HELP)


def _action(actions: Any, name: str, run: Any, summary: str) -> Any:
    parser = actions.add_parser(
        name,
        help=summary,
        description=summary,
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--store", type=Path, metavar="DIR", help="another store than this user's")
    parser.add_argument("--json", action="store_true", help="JSON lines, the last one a summary")
    parser.set_defaults(run=run)
    return parser


def _folder(options: Namespace) -> Path:
    from runtime.store import store_folder

    folder: Path = store_folder() if options.store is None else options.store
    return folder


def _install(options: Namespace) -> int:
    from runtime.engine import open_engine
    from runtime.store import is_name
    from tools.packaging.installation import check_name, install

    if options.name is not None:
        check_name(options.name)
    engine = open_engine(options.bundle, pinned_sha256=options.sha256)
    own = engine.bundle.manifest.name
    done = install(
        options.bundle,
        folder=_folder(options),
        name=options.name or (own if is_name(own) else options.bundle.stem),
        is_replacing=options.replace,
        pinned_sha256=engine.bundle.sha256,
    )
    if options.json:
        print(
            json.dumps(
                {
                    "type": "summary",
                    "name": done.name,
                    "sha256": done.sha256,
                    "path": str(done.path),
                    "replaced": done.was,
                    "is_new": done.is_new,
                }
            )
        )
        return 0
    again = "" if done.is_new else ", which was there already"
    before = f" (it was {done.was[:12]}, which stays)" if done.was else ""
    print(f"{done.name}: bundle {done.sha256[:12]}{again}{before}; runs here as where it was made")
    return 0


def _list(options: Namespace) -> int:
    from tools.packaging.inventory import entries, strangers
    from tools.packaging.shown import columns, described, short

    folder, n_bundles = _folder(options), 0
    rows = []
    for entry in entries(folder):
        n_bundles += entry.size_bytes is not None
        if options.json:
            print(json.dumps(described(entry)))
        else:
            rows.append(short(entry))
    for problem in strangers(folder):
        print(f"eegscribe: {problem}", file=sys.stderr)
    if options.json:
        print(json.dumps({"type": "summary", "store": str(folder), "bundles": n_bundles}))
    elif rows:
        print("\n".join(columns(rows)))
    else:
        print(f"{folder}: holds no bundles; eegscribe models install B")
    return 0


def _show(options: Namespace) -> int:
    from tools.packaging.inventory import digest_of, entry, names_of
    from tools.packaging.shown import described, lines

    folder = _folder(options)
    sha256 = digest_of(options.which, folder=folder)
    found = entry(sha256, folder=folder, its_names=names_of(sha256, folder=folder))
    if found.manifest is None:
        raise BundleError(f"{options.which}: {found.problem}")
    if options.json:
        print(json.dumps({**described(found, is_whole=True), "type": "summary"}))
    else:
        print("\n".join(lines(found)))
    return 0


def _verify(options: Namespace) -> int:
    from tools.packaging.inventory import digest_of, digests, names, strangers

    folder = _folder(options)
    called = names(folder)
    wanted = [(digest_of(which, folder=folder), which) for which in options.which]
    if not options.which:
        first = {sha256: name for name, sha256 in reversed(called.items())}
        wanted = [(sha256, first.get(sha256, sha256[:12])) for sha256 in digests(folder)]
        wanted += [
            (sha256, name) for name, sha256 in called.items() if (sha256, name) not in wanted
        ]
    problems: dict[str, str | None] = {}
    n_bad = 0
    for stranger in () if options.which else strangers(folder):
        n_bad += 1
        print(f"eegscribe: {stranger}", file=sys.stderr)
    for sha256, which in wanted:
        if sha256 not in problems:
            problems[sha256] = _problem(folder, sha256)
        problem = problems[sha256]
        n_bad += problem is not None
        if options.json:
            print(json.dumps({"name": which, "sha256": sha256, "problem": problem}))
        else:
            print(f"{which}: {problem or f'{sha256[:12]} is whole and runs here as made'}")
    if options.json:
        print(json.dumps({"type": "summary", "checked": len(wanted), "bad": n_bad}))
    elif not wanted:
        print(f"{folder}: holds no bundles")
    return BundleError.exit_code if n_bad else 0


def _problem(folder: Path, sha256: str) -> str | None:
    """Return what is wrong with a bundle of the store, None where nothing is."""
    from runtime.engine import open_engine
    from runtime.store import content_path

    try:
        open_engine(content_path(folder, sha256), pinned_sha256=sha256)
    except EegscribeError as error:
        return str(error)
    return None


def _remove(options: Namespace) -> int:
    from tools.packaging.installation import remove

    for which in options.which:
        gone = remove(which, folder=_folder(options), is_forced=options.force)
        if options.json:
            print(
                json.dumps(
                    {
                        "removed": which,
                        "sha256": gone.sha256,
                        "names": gone.names,
                        "still": gone.still,
                        "is_gone": gone.is_gone,
                        "was_used": gone.was_used,
                    }
                )
            )
            continue
        what = (
            f"bundle {gone.sha256[:12]} is gone"
            if gone.is_gone
            else f"bundle {gone.sha256[:12]} stays as {', '.join(gone.still)}"
        )
        used = "; the daemon that runs it goes on until it ends" if gone.was_used else ""
        print(f"{which}: removed; {what}{used}")
    if options.json:
        print(json.dumps({"type": "summary", "removed": len(options.which)}))
    return 0


def _path(options: Namespace) -> int:
    from runtime.store import content_path
    from tools.packaging.inventory import digest_of

    path = folder = _folder(options)
    if options.which is not None:
        path = content_path(folder, digest_of(options.which, folder=folder))
        if not path.exists():
            raise BundleError(f"{options.which}: its bundle {path.stem[:12]} is gone")
    print(json.dumps({"type": "summary", "path": str(path)}) if options.json else path)
    return 0
