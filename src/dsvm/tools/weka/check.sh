# Cross-validates trees on Weka's iris data, demands the known count, and reloads the saved model.
set -eu
iris=/usr/share/doc/weka/examples/iris.arff
weka() { java -Xmx256m -cp /usr/share/java/weka.jar "$@"; }
weka weka.classifiers.trees.J48 -t "$iris" -x 10 -s 1 -d tree.model > told
# Ten folds with seed 1, as in the book of Weka's authors (Witten, Frank: Data Mining): 144 of 150.
right=$(sed -n '/Stratified cross-validation/,$ s/^Correctly Classified Instances *\([0-9]*\) .*/\1/p' told)
[ "$right" = 144 ] || { echo "J48 names ${right:-none} of 150 flowers rightly, 144 are known" >&2; exit 1; }
grep -q '^petalwidth <= 0.6: Iris-setosa (50.0)' told || { echo "the tree does not begin with the petal's width" >&2; exit 1; }
again=$(weka weka.classifiers.trees.J48 -l tree.model -T "$iris" | sed -n 's/^Correctly Classified Instances *\([0-9]*\) .*/\1/p')
[ "$again" = 147 ] || { echo "the reloaded tree names ${again:-none} of 150 flowers rightly, 147 are known" >&2; exit 1; }
printf '{"accuracy": 0.96, "versions": {"Weka": "%s"}}\n' "$(dpkg-query -W -f '${Version}' weka)"
