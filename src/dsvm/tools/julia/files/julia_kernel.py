"""Jupyter's side of Julia: a `julia` beside it runs the cells and keeps what they define.

Julia's own kernel, IJulia, comes from Julia's registry, which not every machine reaches; this one
needs nothing but Julia itself. A line to it is a cell in base64. What it prints goes through as it
comes; its answer is one line that begins with a mark nobody else knows.
"""

import base64
import subprocess
import uuid

from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel

LOOP = r"""
using Base64
ccall(:jl_exit_on_sigint, Cvoid, (Cint,), 0)
function dsvm_answer(kind, text)
    flush(stderr)
    println(stdout, ARGS[1], kind, " ", base64encode(text))
    flush(stdout)
end
for line in eachline(stdin)
    try
        code = String(base64decode(line))
        value = include_string(Main, code, "cell")
        quiet = value === nothing || endswith(rstrip(code), ';')
        context = IOContext(stdout, :limit => true, :displaysize => (40, 100))
        dsvm_answer("ok", quiet ? "" : sprint(show, MIME("text/plain"), value; context = context))
    catch fault
        inner = fault isa LoadError ? fault.error : fault
        dsvm_answer("error", string(nameof(typeof(inner)), "\n", sprint(showerror, inner)))
    end
end
"""
VERSION = subprocess.run(["julia", "--version"], capture_output=True, text=True).stdout.split()[-1]
LANGUAGE = {
    "name": "julia",
    "version": VERSION,
    "mimetype": "text/x-julia",
    "file_extension": ".jl",
}


class Julia(Kernel):
    implementation = "julia"
    implementation_version = "1"
    language_info = LANGUAGE
    banner = f"Julia {VERSION}"

    def __init__(self, **more):
        super().__init__(**more)
        self._mark = f"\x02{uuid.uuid4().hex} "
        self._julia = self._started()

    def _started(self):
        return subprocess.Popen(
            ["julia", "--color=no", "-e", LOOP, self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )

    def do_execute(self, code, silent, *words, **more):
        if self._julia.poll() is not None:
            self._julia = self._started()
        line = base64.b64encode(code.encode()).decode()
        self._julia.stdin.write(f"{line}\n")
        self._julia.stdin.flush()
        kind, told = self._answer(silent)
        if kind == "error":
            name, _, value = told.partition("\n")
            error = {"ename": name, "evalue": value, "traceback": value.splitlines()}
            self.send_response(self.iopub_socket, "error", error)
            return {"status": "error", "execution_count": self.execution_count, **error}
        if told and not silent:
            result = {"data": {"text/plain": told}, "metadata": {}}
            result["execution_count"] = self.execution_count
            self.send_response(self.iopub_socket, "execute_result", result)
        return {
            "status": "ok",
            "execution_count": self.execution_count,
            "payload": [],
            "user_expressions": {},
        }

    def _answer(self, silent):
        """Pass on what is printed until the cell is done; how it ended, and what it says."""
        while True:
            try:
                line = self._julia.stdout.readline()
            except KeyboardInterrupt:  # Julia has it, too, and says what it interrupted
                continue
            if not line:
                return "error", f"JuliaEnded\njulia ended with status {self._julia.wait()}"
            printed, mark, answer = line.partition(self._mark)
            if printed and not silent:
                stream = {"name": "stdout", "text": printed}
                self.send_response(self.iopub_socket, "stream", stream)
            if mark:
                kind, _, told = answer.rstrip("\n").partition(" ")
                return kind, base64.b64decode(told).decode()

    def do_shutdown(self, restart):
        self._julia.kill()
        self._julia.wait()
        return {"status": "ok", "restart": restart}


IPKernelApp.launch_instance(kernel_class=Julia)
