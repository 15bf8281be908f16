"""Plans of one's own, read anew by the worker while its environment is open."""

from intercalate.queue.client import QueueClient, QueueError

RELOAD_S = 60.0


def reload_plans(client: QueueClient) -> str:
    """Let the worker read the plan files anew, and the manager what there is then; says what was found.

    Raises
    ------
    QueueError
        If no environment is open, a plan runs, or the worker fails.
    """
    item = {"item_type": "function", "name": "reload_plans"}
    result = _done(client, client.as_user("function_execute", item=item)["task_uid"])
    _done(client, client.ask("environment_update")["task_uid"])
    return str(result["return_value"])


def _done(client: QueueClient, task_uid: str) -> dict:
    """Result of a task of the worker."""

    def is_done(status: dict) -> bool:
        return client.ask("task_status", task_uid=task_uid)["status"] == "completed"

    client.wait(is_done, RELOAD_S, "the plans are loaded")
    result = client.ask("task_result", task_uid=task_uid)["result"]
    if not result["success"]:
        raise QueueError(f"the worker failed: {result['msg']}\n{result['traceback']}")
    return result
