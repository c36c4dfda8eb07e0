"""LaTeX: what is printed is read, what is not is dropped, and nothing outside the source is reached."""

from __future__ import annotations

import gzip
import io
import tarfile
from itertools import pairwise
from pathlib import Path

import pytest

from agentsys.core.errors import PaperError
from agentsys.paper import read_paper, to_markdown
from agentsys.paper.latex.clean import strip_comments

HEAD = "\\documentclass{article}\n\\title{On \\textbf{Sources}}\n\\newcommand{\\R}{\\mathbb{R}}\n\\begin{document}\n"
BODY = r"""
\begin{abstract}Short.\end{abstract}
\section{Method} We map $x \in \R$ to $y$. % a comment
\begin{equation}\label{eq:a} y = \frac{1}{2} x^2 \end{equation}
\begin{align} a &= b \\ c &= d \nonumber \\ e &= f \end{align}
\iffalse dead \else alive \fi
\begin{comment} gone \end{comment}
\begin{table}\caption{Numbers}\begin{tabular}{lr}\toprule A & B \\ \midrule 1 & 2 \\ \bottomrule\end{tabular}\end{table}
\begin{figure}\includegraphics{x}\caption{A picture}\end{figure}
\subsection{More} Text.
\appendix \section{Proofs} Proof.
\begin{thebibliography}{9}\bibitem{k} A. Author. Title. arXiv:2001.00001.\end{thebibliography}
\end{document}
never printed
"""


def tex(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "paper.tex"
    path.write_text(text)
    return path


def archive(tmp_path: Path, files: dict[str, str], extra: list[tarfile.TarInfo] | None = None) -> Path:
    path = tmp_path / "source.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for info in extra or []:
            file.addfile(info)
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            file.addfile(info, io.BytesIO(text.encode()))
    return path


def test_structure_of_a_document(tmp_path: Path) -> None:
    paper = read_paper(tex(tmp_path, HEAD + BODY))
    assert paper.title == "On Sources" and paper.abstract == "Short."
    assert [(s.number, s.title, s.kind) for s in paper.sections] == [
        ("", "Abstract", "abstract"),
        ("1", "Method", "body"),
        ("1.1", "More", "body"),
        ("A", "Proofs", "appendix"),
        ("", "References", "references"),
    ]
    assert (paper.equations[0].number, paper.equations[0].latex) == ("1", "y = \\frac{1}{2} x^2")
    assert paper.equations[1].number == "2, 3"
    assert paper.tables[0].rows == (("A", "B"), ("1", "2")) and paper.tables[0].caption == "Table 1: Numbers"
    assert paper.figures[0].caption == "Figure 1: A picture"
    assert paper.references[0].arxiv == "2001.00001"
    assert paper.notation == "\\newcommand{\\R}{\\mathbb{R}}"
    words = to_markdown(paper)
    assert "alive" in words
    assert not any(gone in words for gone in ("dead", "gone", "a comment", "never printed"))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a% b\nc", "ac\n"),
        ("50\\% of\n", "50\\% of\n\n"),
        ("a\\\\% b\nc", "a\\\\c\n"),
        ("%only\nx", "x\n"),
        ("\\iffalse a \\ifx b\\fi c\\fi d", " d\n"),
        ("\\begin{verbatim}50% kept\\end{verbatim}", "\\begin{verbatim}50% kept\\end{verbatim}"),
    ],
)
def test_comments_and_dead_branches(text: str, kept: str) -> None:
    assert strip_comments(text).strip() == kept.strip()


def test_files_of_an_archive_are_put_together(tmp_path: Path) -> None:
    files = {
        "paper/main.tex": HEAD
        + "\\input{parts/one}\\include{two}\\import{parts/}{three}\\bibliography{refs}\\end{document}",
        "parts/one.tex": "\\section{One} first",
        "two.tex": "\\section{Two} second \\input{two}",
        "parts/three.tex": "\\section{Three} third",
        "refs.bib": "@article{k, title={The {T}itle}, author={A. B.}, year=2020}\n@article{z, title={No}}",
    }
    files["two.tex"] += " \\cite{k}"
    paper = read_paper(archive(tmp_path, files))
    assert [section.title for section in paper.sections] == ["One", "Two", "Three", "References"]
    assert [reference.raw for reference in paper.references] == ["A. B.. The Title. 2020."]
    assert any("circle" in warning for warning in paper.warnings)


READS = [
    "\\input{/etc/hostname}",
    "\\input /etc/hostname",
    "\\include{/etc/hostname}",
    "\\input{../../../../../../etc/hostname}",
    "\\import{/etc/}{hostname}",
    "\\subimport{../../../../../../etc/}{hostname}",
    "\\lstinputlisting{/etc/hostname}",
    "\\verbatiminput{/etc/hostname}",
    "\\inputminted{text}{/etc/hostname}",
    "\\InputIfFileExists{/etc/hostname}{}{}",
    "\\subfile{/etc/hostname}",
    "\\bibliography{/etc/hostname}",
    "\\input{|cat /etc/hostname}",
    "\\input{secret}",
    "\\input{link}",
]


@pytest.mark.parametrize("command", READS)
def test_a_source_cannot_read_outside(command: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.tex").write_text("TOPSECRET")
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "link.tex").symlink_to(outside / "secret.tex")
    (folder / "secret").symlink_to(outside)
    body = (
        HEAD
        + f"\\section{{A}} before {command} after \\input{{../outside/secret}}\\input{{secret/secret}}\\end{{document}}"
    )
    (folder / "main.tex").write_text(body)
    words = read_paper(folder / "main.tex").model_dump_json()
    host = Path("/etc/hostname").read_text().strip() if Path("/etc/hostname").is_file() else "no-hostname-here"
    assert "TOPSECRET" not in words
    assert f" {host} " not in words and f"before {host}" not in words
    assert "before" in words and "after" in words


def member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = target
    return info


def test_links_devices_and_names_that_lead_out_are_nothing(tmp_path: Path) -> None:
    extra = [
        member("link.tex", tarfile.SYMTYPE, "/etc/hostname"),
        member("hard.tex", tarfile.LNKTYPE, "/etc/hostname"),
        member("fifo.tex", tarfile.FIFOTYPE),
        member("dev.tex", tarfile.CHRTYPE),
        member("folder", tarfile.SYMTYPE, "/etc"),
    ]
    inputs = "".join(
        f"\\input{{{name}}}" for name in ("link", "hard", "fifo", "dev", "folder/hostname", "../evil", "/evil")
    )
    files = {
        "main.tex": HEAD + f"\\section{{A}} start {inputs} end\\end{{document}}",
        "../evil.tex": "EVIL",
        "/evil.tex": "EVIL",
    }
    words = read_paper(archive(tmp_path, files, extra)).model_dump_json()
    assert "EVIL" not in words and "start end" in words
    assert not (tmp_path / "evil.tex").exists() and not (tmp_path.parent / "evil.tex").exists()


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(b"\x00" * 100_000_000))
    with pytest.raises(PaperError, match="unpacks to more than"):
        read_paper(path)


def test_gzip_of_one_file_and_damaged_data(tmp_path: Path) -> None:
    single = tmp_path / "2001.00001"
    single.write_bytes(gzip.compress((HEAD + BODY).encode()))
    assert read_paper(single).title == "On Sources"
    single.write_bytes(gzip.compress((HEAD + BODY).encode())[:-30])
    with pytest.raises(PaperError, match="damaged"):
        read_paper(single)


OWN = r"""
\documentclass{article}
\newcommand{\be}{\begin{equation}} \newcommand{\ee}{\end{equation}}
\def\bea{\begin{eqnarray}} \def\eea{\end{eqnarray}}
\newcommand{\eqn}[2][none]{\begin{equation}\label{#1} #2 \end{equation}}
\newenvironment{display}[1]{\begin{align}\label{#1}}{\end{align}}
\newenvironment{outer}{\begin{display}{x}}{\end{display}}
\newenvironment{remark}{\emph{Remark.}}{}
\newtheorem{thm}{Theorem}[section] \newtheorem*{lem}{Lemma}
\newcommand{\R}{\mathbb{R}}
\begin{document}
\section{Own}
\be a = 1 \ee where \bea b &=& 2 \\ c &=& 3 \eea and \eqn[eq:d]{d = \frac{4}{1}} then
\begin{display}{eq:e} e &= 5 \\ f &= 6 \end{display}
\begin{outer} g &= 7 \end{outer}
\begin{thm}[Main] For all $x \in \R$ \[ h = 8 \] holds.\end{thm}
\begin{lem} Short. \begin{equation*} i = 9 \end{equation*} \end{lem}
\begin{remark} Words. \be j = 10 \ee \end{remark}
\section{Beta} \beta is no display.
\end{document}
"""


def test_displays_that_a_paper_defines_for_itself_are_equations(tmp_path: Path) -> None:
    paper = read_paper(tex(tmp_path, OWN))
    numbers = [(equation.number, equation.text) for equation in paper.equations]
    assert [number for number, _ in numbers] == ["1", "2, 3", "4", "5, 6", "7", "", "", "8"]
    assert all(name in text for name, (_, text) in zip("abdeghij", numbers, strict=True))
    assert paper.equations[2].latex == r"d = \frac{4}{1}"
    words = to_markdown(paper)
    assert "**Theorem (Main).** For all" in words and "**Lemma.** Short." in words
    assert "\\begin{thm}" not in words and "\\be " not in words and "\\beta is no display" in words
    assert paper.notation == r"\newcommand{\R}{\mathbb{R}}"


def test_the_steps_of_an_algorithm_are_indented_by_what_opens_and_closes(tmp_path: Path) -> None:
    steps = "\\State a\n\\For{$i$}\n\\If{b}\n\\State c\n\\Else\n\\State d\n\\EndIf\n\\EndFor\n\\State e\n"
    inner = f"\\caption{{Search}}\n\\begin{{algorithmic}}\n{steps}\\end{{algorithmic}}\n"
    text = f"{HEAD}\\section{{A}}\\begin{{algorithm}}[H]\n{inner}\\end{{algorithm}}\\end{{document}}"
    (found,) = read_paper(tex(tmp_path, text)).algorithms
    assert (found.label, found.caption) == ("1", "Algorithm 1: Search")
    assert [line.indent for line in found.lines] == [0, 0, 1, 2, 1, 2, 1, 0, 0]


@pytest.mark.parametrize("use", [r"\mB", "#1#1"])
def test_definitions_that_double_each_other_end_soon(use: str, tmp_path: Path) -> None:
    rounds = "".join(
        f"\\newcommand{{\\m{a}}}[1]{{\\begin{{equation}}{use.replace('B', b) * 99}\\m{b}{{#1}}\\end{{equation}}}}"
        for a, b in pairwise("abcdefgh")
    )
    last = "\\newcommand{\\mh}[1]{\\[#1\\]}"
    words = "\\ma{" + "x" * 200_000 + "}"
    path = tex(tmp_path, f"{rounds}{last}\\begin{{document}}\\section{{S}}{words}\\end{{document}}")
    assert len(to_markdown(read_paper(path))) < 3_000_000


KINDS = r"""\documentclass{article}
\newcommand{\ours}{SuperNet\xspace}
\newcommand{\mytitle}{On \ours and Friends}
\title{\mytitle}
\begin{document}
\section{Intro}\label{sec:intro}
See \cref{tab:a}, Eq.~\eqref{eq:b}, Section~\ref{sec:intro}, \autoref{alg:x} and \ref{nothing}.
\begin{align} a &= 1 \label{eq:a} \\ b &= 2 \label{eq:b} \end{align}
\begin{table}\caption{Results}\label{tab:a}
\begin{tabular}{lcc}\Xhline{2pt}
& \multicolumn{2}{c}{\textbf{Acc}} & \multirow{2}{*}{\rotatebox[origin=c]{90}{Time}} \\ \cmidrule(lr){2-3}
Method & \makecell{A\\x} & B & \\ \specialrule{1pt}{0pt}{0pt}
ours & 1 & 3 & 4 \\ \hline
\end{tabular}\end{table}
\begin{deluxetable}{lcc}\tablecaption{Stars\label{tab:s}}\tablehead{\colhead{Name} & \colhead{Mag} & \colhead{D}}
\startdata Vega & 0.03 & \nodata \\ Deneb & 1.25 & 800 \enddata
\end{deluxetable}
\begin{algorithm}\caption{Go}\label{alg:x}
\begin{algorithmic}
\REQUIRE $x$
\STATE $y \gets 1$
\FOR{$i=1$}
\STATE z \COMMENT{note}
\ENDFOR
\RETURN y
\end{algorithmic}\end{algorithm}
\end{document}
"""


def test_cells_stand_in_the_columns_in_which_they_are_printed(tmp_path: Path) -> None:
    results, stars = read_paper(tex(tmp_path, KINDS)).tables
    assert results.rows == (("", "Acc", "", "Time"), ("Method", "A x", "B", ""), ("ours", "1", "3", "4"))
    assert stars.caption == "Table 2: Stars"
    assert stars.rows == (("Name", "Mag", "D"), ("Vega", "0.03", "..."), ("Deneb", "1.25", "800"))


def test_references_by_label_become_the_numbers_that_are_printed(tmp_path: Path) -> None:
    paper = read_paper(tex(tmp_path, KINDS))
    assert "See Table 1, Eq.~(2), Section~1, Algorithm 1 and \\ref{nothing}." in to_markdown(paper)
    assert paper.doubts == ("references that point to nothing: nothing",) and not paper.trusted


def test_commands_of_algorithms_become_words(tmp_path: Path) -> None:
    (found,) = read_paper(tex(tmp_path, KINDS)).algorithms
    lines = [(line.indent, line.text) for line in found.lines]
    assert lines == [
        (0, "Require: $x$"), (0, r"$y \gets 1$"), (0, "for $i=1$"), (1, "z ▷ note"), (0, "end for"), (0, "return y"),
    ]  # fmt: skip


def test_a_title_that_is_a_macro_is_written_out(tmp_path: Path) -> None:
    assert read_paper(tex(tmp_path, KINDS)).title == "On SuperNet and Friends"
