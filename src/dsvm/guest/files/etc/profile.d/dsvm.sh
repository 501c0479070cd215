# Login shells begin with the environment `base`.
case ":$PATH:" in
  *:/opt/dsvm/envs/base/bin:*) ;;
  *) PATH="/opt/dsvm/envs/base/bin:$PATH" ;;
esac
export PATH
export EDITOR="${EDITOR:-nano}"
