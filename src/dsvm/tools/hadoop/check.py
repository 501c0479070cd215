"""Stores files in a small cluster of this check's own, and counts their words by MapReduce."""

import os
import random
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import dsvm_check

HADOOP = Path("/opt/dsvm/apps/hadoop")
HERE = Path.cwd()
WORDS = ["hare", "hound", "fox", "heron", "otter"]
NAMES = ("fs", "name", "data", "data-http", "data-ipc", "rm", "rm-http", "rm-tracker")
PORT = {
    name: dsvm_check.free_port()
    for name in (*NAMES, "rm-scheduler", "rm-admin", "nm", "nm-http", "localizer", "shuffle")
}
JAVA = ("lang", "util", "net", "io")
SETTING = {
    "JAVA_HOME": "/usr/lib/jvm/default-java",
    "HADOOP_CONF_DIR": str(HERE / "conf"),
    "HADOOP_LOG_DIR": str(HERE / "logs"),
    "HADOOP_PID_DIR": str(HERE),
    "HADOOP_HEAPSIZE_MAX": "256m",
    # YARN reaches into classes that Java has closed since version 17.
    "HADOOP_OPTS": " ".join(f"--add-opens=java.base/java.{one}=ALL-UNNAMED" for one in JAVA),
}


def at(name):
    return f"127.0.0.1:{PORT[name]}"


CONFIGURATION = {
    "core-site": {
        "fs.defaultFS": f"hdfs://{at('fs')}",
        "hadoop.tmp.dir": str(HERE / "tmp"),
    },
    "hdfs-site": {
        "dfs.replication": "1",
        "dfs.blocksize": str(2**20),
        "dfs.namenode.http-address": at("name"),
        "dfs.datanode.address": at("data"),
        "dfs.datanode.http.address": at("data-http"),
        "dfs.datanode.ipc.address": at("data-ipc"),
    },
    "yarn-site": {
        "yarn.resourcemanager.address": at("rm"),
        "yarn.resourcemanager.webapp.address": at("rm-http"),
        "yarn.resourcemanager.resource-tracker.address": at("rm-tracker"),
        "yarn.resourcemanager.scheduler.address": at("rm-scheduler"),
        "yarn.resourcemanager.admin.address": at("rm-admin"),
        "yarn.nodemanager.address": at("nm"),
        "yarn.nodemanager.webapp.address": at("nm-http"),
        "yarn.nodemanager.localizer.address": at("localizer"),
        "yarn.nodemanager.aux-services": "mapreduce_shuffle",
        "yarn.nodemanager.vmem-check-enabled": "false",
        "yarn.nodemanager.disk-health-checker.enable": "false",
        "yarn.scheduler.minimum-allocation-mb": "128",
    },
    "mapred-site": {
        "mapreduce.framework.name": "yarn",
        "mapreduce.shuffle.port": str(PORT["shuffle"]),
        "mapreduce.map.memory.mb": "256",
        "mapreduce.reduce.memory.mb": "256",
        "yarn.app.mapreduce.am.resource.mb": "256",
        **{
            f"{who}.env": f"HADOOP_MAPRED_HOME={HADOOP}"
            for who in ("yarn.app.mapreduce.am", "mapreduce.map", "mapreduce.reduce")
        },
    },
}


def configured():
    conf = HERE / "conf"
    conf.mkdir()
    for name, values in CONFIGURATION.items():
        lines = [
            f"<property><name>{key}</name><value>{value}</value></property>"
            for key, value in values.items()
        ]
        text = "\n".join(["<configuration>", *lines, "</configuration>\n"])
        (conf / f"{name}.xml").write_text(text)
    for name in ("log4j.properties", "capacity-scheduler.xml", "hadoop-env.sh"):
        (conf / name).write_bytes((HADOOP / "etc/hadoop" / name).read_bytes())


def hadoop(program, *words):
    return dsvm_check.say([f"{HADOOP}/bin/{program}", *words], env=SETTING)


def daemon(program, name, web):
    argv = [f"{HADOOP}/bin/{program}", name]
    return dsvm_check.server(argv, f"http://{at(web)}/jmx", env=SETTING)


configured()
draw = random.Random(7)
text = " ".join(draw.choices(WORDS, k=400_000))
Path("words").write_text("\n".join(text[at : at + 80] for at in range(0, len(text), 80)))
Path("random").write_bytes(os.urandom(5 * 2**20))
hadoop("hdfs", "namenode", "-format", "-nonInteractive")
with ExitStack() as running:
    running.enter_context(daemon("hdfs", "namenode", "name"))
    running.enter_context(daemon("hdfs", "datanode", "data-http"))
    hadoop("hdfs", "dfs", "-put", "words", "random", "/")
    hadoop("hdfs", "dfs", "-get", "/random", "fetched")
    blocks = hadoop("hdfs", "fsck", "/random", "-files", "-blocks")
    running.enter_context(daemon("yarn", "resourcemanager", "rm-http"))
    running.enter_context(daemon("yarn", "nodemanager", "nm-http"))
    (jar,) = HADOOP.glob("share/hadoop/mapreduce/hadoop-mapreduce-examples-*.jar")
    hadoop("yarn", "jar", str(jar), "wordcount", "/words", "/counted")
    told = hadoop("hdfs", "dfs", "-cat", "/counted/part-r-*")
    apps = dsvm_check.fetch_json(f"http://{at('rm-http')}/ws/v1/cluster/apps")["apps"]["app"]
assert Path("fetched").read_bytes() == Path("random").read_bytes(), "HDFS has other bytes"
assert "5 block(s):  OK" in blocks, f"the file does not lie in 5 sound blocks: {blocks[-500:]}"
counted = {word: int(count) for word, count in map(str.split, told.splitlines())}
known = Counter(Path("words").read_text().split())
assert counted == known, f"MapReduce counts {counted}, known is {known}"
ended = [app["finalStatus"] for app in apps]
assert ended == ["SUCCEEDED"], f"YARN ran applications that ended as {ended}"
version = hadoop("hadoop", "version").split()[1]
dsvm_check.passed(words=sum(known.values()), versions={"Hadoop": version})
